{{- /* Name of the application: of the chart, of its alias in another chart, or nameOverride. */ -}}
{{- define "payorch.application" -}}
{{- default .Chart.Name .Values.nameOverride -}}
{{- end -}}

{{- /* What the names of all objects begin with. The longest rest, -upc-first-start, leaves 47 of 63 characters. */ -}}
{{- define "payorch.name" -}}
{{- $application := include "payorch.application" . -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name $application) (contains $application .Release.Name) -}}
{{- default $name .Values.fullnameOverride | trunc 47 | trimSuffix "-" -}}
{{- end -}}

{{- define "payorch.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- /* Of the root and a component. The chart's version is a label, but never a selector: selectors cannot be changed. */ -}}
{{- define "payorch.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "payorch.application" $root | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- /* Of the root and a component. */ -}}
{{- define "payorch.labels" -}}
{{- $root := index . 0 -}}
{{ include "payorch.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{- /* Of the root and a component. */ -}}
{{- define "payorch.podLabels" -}}
{{- with (index . 0).Values -}}
{{- merge (include "payorch.labels" $ | fromYaml) (default dict .podLabels) (default dict .commonLabels) | toYaml -}}
{{- end -}}
{{- end -}}

{{- /*
Metadata of an object, of a dict: root, component, the rest of the name, and labels and annotations of its own;
namespace, if it is another.
*/ -}}
{{- define "payorch.metadata" -}}
name: {{ printf "%s%s" (include "payorch.name" .root) (default "" .suffix) | quote }}
namespace: {{ default (include "payorch.namespace" .root) .namespace | quote }}
labels:
  {{- $own := include "payorch.labels" (list .root .component) | fromYaml }}
  {{- merge $own (default dict .labels) (default dict .root.Values.commonLabels) | toYaml | nindent 2 }}
{{- with merge dict (default dict .annotations) (default dict .root.Values.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Of the root and a section with repository, tag and digest: the image, quoted. */ -}}
{{- define "payorch.image" -}}
{{- $root := index . 0 -}}
{{- $registry := dig "imageRegistry" "" (default dict $root.Values.global) -}}
{{- with index . 1 -}}
{{- $name := ternary (printf "%s/%s" (trimSuffix "/" $registry) .repository) .repository (ne $registry "") -}}
{{- ternary (printf "%s@%s" $name (toString .digest)) (printf "%s:%s" $name (default $root.Chart.AppVersion .tag)) (not (empty .digest)) | quote -}}
{{- end -}}
{{- end -}}

{{- define "payorch.pullSecrets" -}}
{{- $all := concat (dig "imagePullSecrets" list (default dict .Values.global)) (default list .Values.imagePullSecrets) -}}
{{- with uniq $all -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "payorch.grpcPort" -}}
{{ .Values.config.grpc.listen | splitList ":" | last }}
{{- end -}}

{{- define "payorch.adminPort" -}}
{{ .Values.config.admin.listen | splitList ":" | last }}
{{- end -}}

{{- /* Of the listener for operators; empty where there is none that other pods could reach. */ -}}
{{- define "payorch.diagnosticsPort" -}}
{{- $listen := .Values.config.diagnostics.listen -}}
{{- if or (hasPrefix "0.0.0.0:" $listen) (hasPrefix "[::]:" $listen) -}}
{{ $listen | splitList ":" | last }}
{{- end -}}
{{- end -}}

{{- /* Empty in plaintext. */ -}}
{{- define "payorch.tls" -}}
{{- if .Values.config.grpc.tls -}}yes{{- end -}}
{{- end -}}

{{- /* Meshes and gateways go by it; what they should do with h2 inside TLS is to leave it alone. */ -}}
{{- define "payorch.appProtocol" -}}
{{- ternary "https" "kubernetes.io/h2c" (eq (include "payorch.tls" .) "yes") -}}
{{- end -}}

{{- /* Empty unless intents are recorded in Redis. */ -}}
{{- define "payorch.redis" -}}
{{- if eq (dig "store" "kind" "memory" .Values.config) "redis" -}}yes{{- end -}}
{{- end -}}

{{- /* Empty unless a policy of Cilium says by name where Zuora is. */ -}}
{{- define "payorch.cilium" -}}
{{- if and .Values.networkPolicy.enabled .Values.networkPolicy.ciliumHostNames (not .Values.emulator.enabled) -}}yes{{- end -}}
{{- end -}}

{{- /* Instances that there are at least. */ -}}
{{- define "payorch.fewest" -}}
{{- with .Values -}}
{{- if .autoscaling.enabled -}}{{ int .autoscaling.minReplicas }}{{- else -}}{{ int .replicas }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "payorch.secretFolder" -}}
/etc/payorch/client-secrets
{{- end -}}

{{- /* The part that is read once, at the start. */ -}}
{{- define "payorch.fixedConfig" -}}
{{- omit (include "payorch.config" . | fromYaml) "tenants" "routing" "access" "verbose" | toYaml -}}
{{- end -}}

{{- /* The part whose changes a running service takes over. */ -}}
{{- define "payorch.policy" -}}
{{- pick (include "payorch.config" . | fromYaml) "tenants" "routing" "access" "verbose" | toYaml -}}
{{- end -}}

{{- /* The service's configuration: what values.config says, and the file of each tenant's client secret. */ -}}
{{- define "payorch.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- range $tenant, $settings := $config.tenants -}}
{{- $_ := set $settings "client_secret_file" (printf "%s/%s" (include "payorch.secretFolder" $) $tenant) -}}
{{- if $.Values.emulator.enabled -}}
{{- $_ := unset $settings "environment" -}}
{{- $_ := set $settings "base_url" (printf "http://127.0.0.1:%d" (int $.Values.emulator.port)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "payorch.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "payorch.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* A text whose links to docs/ lead to where the documentation is. */ -}}
{{- define "payorch.withDocs" -}}
{{- $root := index . 0 -}}
{{- $text := index . 1 -}}
{{- with $root.Values.docsUrl -}}
{{- $text = $text | replace "docs/" (printf "%s/" (trimSuffix "/" .)) -}}
{{- end -}}
{{- $text -}}
{{- end -}}

{{- /* Of an autoscaler's values, the name of the Deployment, its container, and the gauge of calls in progress. */ -}}
{{- define "payorch.autoscaler" -}}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .name | quote }}
  minReplicas: {{ .autoscaling.minReplicas | int }}
  maxReplicas: {{ .autoscaling.maxReplicas | int }}
  metrics:
    {{- if gt (int .autoscaling.cpuUtilization) 0 }}
    # Of the container: an emulator or a mesh in the same pod does not count.
    - type: ContainerResource
      containerResource:
        name: cpu
        container: {{ .container }}
        target:
          type: Utilization
          averageUtilization: {{ .autoscaling.cpuUtilization | int }}
    {{- end }}
    {{- if gt (int .autoscaling.callsInFlight) 0 }}
    - type: Pods
      pods:
        metric:
          name: {{ .gauge }}
        target:
          type: AverageValue
          averageValue: {{ .autoscaling.callsInFlight | int | quote }}
    {{- end }}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 0
    # Slowly: callers of a pod that ends must reconnect. One pod at a time, the next when the one before has had time
    # to drain.
    scaleDown:
      stabilizationWindowSeconds: 600
      policies:
        - type: Pods
          value: 1
          periodSeconds: 180
{{- end -}}

{{- /* Where the pods run, of the labels that select them. */ -}}
{{- define "payorch.placement" -}}
{{- $root := index . 0 -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- index . 1 | nindent 8 }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{- /* Strategy of a Deployment, of whether it has a store that pods share. */ -}}
{{- define "payorch.strategy" -}}
{{- if . -}}
strategy:
  rollingUpdate:
    maxUnavailable: 0
    maxSurge: 1
{{- else -}}
# Two pods with a memory store would know nothing of each other, not even for a moment.
strategy:
  type: Recreate
{{- end }}
{{- end -}}

{{- /* Port of Redis, of the url of a store. */ -}}
{{- define "payorch.redisPort" -}}
{{ regexFind ":[0-9]+(/|$)" . | trimPrefix ":" | trimSuffix "/" | default "6379" }}
{{- end -}}
