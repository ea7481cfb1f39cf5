{{- /* What service and hub have alike. Most take a list: the root, and the component `service` or `upc`. */ -}}

{{- define "payorch.fullname" -}}
{{ include "payorch.name" (index . 0) }}{{ ternary "-upc" "" (eq (index . 1) "upc") }}
{{- end -}}

{{- define "payorch.serviceAccountName" -}}
{{- $values := ternary (index . 0).Values.upc (index . 0).Values (eq (index . 1) "upc") -}}
{{- with $values.serviceAccount -}}
{{- default (ternary (include "payorch.fullname" $) "default" (not (empty .create))) .name -}}
{{- end -}}
{{- end -}}

{{- define "payorch.serviceAccount" -}}
{{- $values := ternary (index . 0).Values.upc (index . 0).Values (eq (index . 1) "upc") -}}
{{- with $values.serviceAccount -}}
{{- if .create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "payorch.metadata" (dict "root" (index $ 0) "component" (index $ 1) "name" (include "payorch.serviceAccountName" $) "annotations" .annotations) | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Values of a component's pods: the hub's own, or else those of all pods. */ -}}
{{- define "payorch.podValues" -}}
{{- $root := index . 0 -}}
{{- $own := ternary $root.Values.upc dict (eq (index . 1) "upc") -}}
{{- $found := dict -}}
{{- range $key := list "podAnnotations" "podLabels" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" "runtimeClassName" "schedulerName" "hostAliases" "dnsPolicy" "dnsConfig" -}}
{{- with default (get $root.Values $key) (get $own $key) -}}
{{- $_ := set $found $key . -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{- /* What every pod of the release has, those of jobs and tests as well. */ -}}
{{- define "payorch.podSpec" -}}
{{- $root := index . 0 -}}
{{- $pod := include "payorch.podValues" . | fromYaml -}}
serviceAccountName: {{ include "payorch.serviceAccountName" . | quote }}
automountServiceAccountToken: false
# Kubernetes would set PAYORCH_PORT and the like for a Service named payorch, and the program refuses PAYORCH_ variables
# that are no settings.
enableServiceLinks: false
{{- with include "payorch.pullSecrets" $root }}
{{ . }}
{{- end }}
{{- with $root.Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with pick $pod "nodeSelector" "tolerations" "affinity" "runtimeClassName" "schedulerName" "hostAliases" "dnsPolicy" "dnsConfig" }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* What every container of the chart's images has, of a list: the root, the image's section, resources. */ -}}
{{- define "payorch.containerSpec" -}}
{{- $root := index . 0 -}}
image: {{ include "payorch.image" . }}
imagePullPolicy: {{ (index . 1).pullPolicy | quote }}
{{- with index . 2 }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Of the values of a component: the environment of its containers. */ -}}
{{- define "payorch.environment" -}}
{{- $found := dict -}}
{{- with .extraEnv }}{{ $_ := set $found "env" . }}{{ end -}}
{{- with .envFrom }}{{ $_ := set $found "envFrom" . }}{{ end -}}
{{- with $found }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{- /*
A Deployment, of a dict: root, component, its values, name and arguments of its container; as YAML its ports, volumes,
mounts and the containers that start before; what it reads once, whether its pods share a store, and how many seconds
its drain takes.
*/ -}}
{{- define "payorch.deployment" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $component := list .root .component -}}
{{- $pod := include "payorch.podValues" $component | fromYaml -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "payorch.metadata" (dict "root" $root "component" .component) | nindent 2 }}
spec:
  {{- if not (or $values.autoscaling.enabled (kindIs "invalid" $values.replicas)) }}
  replicas: {{ $values.replicas | int }}
  {{- end }}
  revisionHistoryLimit: {{ $root.Values.revisionHistoryLimit | int }}
  selector:
    matchLabels:
      {{- include "payorch.selector" $component | nindent 6 }}
  minReadySeconds: {{ $values.minReadySeconds | int }}
  {{- if $values.strategy }}
  strategy:
    {{- toYaml $values.strategy | nindent 4 }}
  {{- else if .shared }}
  strategy:
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  {{- else }}
  # Two pods with a memory store would know nothing of each other, not even for a moment.
  strategy:
    type: Recreate
  {{- end }}
  template:
    metadata:
      annotations:
        # What is read once, at the start. Changes of the rest are taken over without a restart.
        checksum/config: {{ .fixed | sha256sum | quote }}
        {{- with $pod.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      labels:
        {{- $own := include "payorch.labels" $component | fromYaml }}
        {{- merge $own (default dict $pod.podLabels) (default dict $root.Values.commonLabels) | toYaml | nindent 8 }}
    spec:
      {{- include "payorch.podSpec" $component | nindent 6 }}
      {{- with $pod.priorityClassName }}
      priorityClassName: {{ . | quote }}
      {{- end }}
      {{- with $pod.topologySpreadConstraints }}
      topologySpreadConstraints:
        {{- range . }}
        - {{- merge . (dict "labelSelector" (dict "matchLabels" (include "payorch.selector" $component | fromYaml))) | toYaml | nindent 10 }}
        {{- end }}
      {{- end }}
      # No preStop: the program itself keeps accepting for drain_wait_s after SIGTERM.
      terminationGracePeriodSeconds: {{ include "payorch.gracePeriod" . }}
      {{- if or .before $values.initContainers }}
      initContainers:
        {{- with .before }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with $values.initContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ .container }}
          {{- include "payorch.containerSpec" (list $root $root.Values.image $values.resources) | nindent 10 }}
          args: {{ toJson .args }}
          {{- with include "payorch.environment" $values }}
          {{- . | nindent 10 }}
          {{- end }}
          ports:
            {{- .ports | nindent 12 }}
          # Alive: the process answers. Ready: it can take calls. What it calls being down must not restart pods.
          startupProbe:
            httpGet: {path: /livez, port: admin}
            {{- toYaml $root.Values.startupProbe | nindent 12 }}
          livenessProbe:
            httpGet: {path: /livez, port: admin}
            {{- toYaml $root.Values.livenessProbe | nindent 12 }}
          readinessProbe:
            httpGet: {path: /readyz, port: admin}
            {{- toYaml $root.Values.readinessProbe | nindent 12 }}
          volumeMounts:
            {{- .mounts | nindent 12 }}
            {{- with $values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
        {{- with $values.extraContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumes:
        {{- .volumes | nindent 8 }}
        {{- with $values.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end -}}

{{- /* Seconds until Kubernetes kills a pod, of the dict of a Deployment. */ -}}
{{- define "payorch.gracePeriod" -}}
{{- if gt (int .values.terminationGracePeriodSeconds) 0 -}}
{{ int .values.terminationGracePeriodSeconds }}
{{- else -}}
{{ addf .drain .root.Values.shutdownMarginSeconds | ceil | int }}
{{- end -}}
{{- end -}}

{{- /* A Service that callers find, of a dict: root, component, its values, and its ports as YAML. */ -}}
{{- define "payorch.service" -}}
{{- $root := .root -}}
{{- $component := list .root .component -}}
{{- $ports := .ports -}}
{{- with .values -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "payorch.metadata" (dict "root" $root "component" (index $component 1) "labels" .labels "annotations" .annotations) | nindent 2 }}
spec:
  type: {{ .type }}
  {{- with .trafficDistribution }}
  trafficDistribution: {{ . }}
  {{- end }}
  {{- with .externalTrafficPolicy }}
  externalTrafficPolicy: {{ . }}
  {{- end }}
  {{- with .loadBalancerClass }}
  loadBalancerClass: {{ . | quote }}
  {{- end }}
  {{- with .loadBalancerSourceRanges }}
  loadBalancerSourceRanges:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  selector:
    {{- include "payorch.selector" $component | nindent 4 }}
  ports:
    {{- $ports | nindent 4 }}
{{- end -}}
{{- end -}}

{{- /* Of the root, a component, and its values; empty where a budget would be of no use. */ -}}
{{- define "payorch.disruptionBudget" -}}
{{- $values := index . 2 -}}
{{- with $values.podDisruptionBudget -}}
{{- if and .enabled (gt (include "payorch.fewest" $values | int) 1) -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "payorch.metadata" (dict "root" (index $ 0) "component" (index $ 1)) | nindent 2 }}
spec:
  {{- if not (has .minAvailable (list nil "")) }}
  minAvailable: {{ toJson .minAvailable }}
  {{- else }}
  maxUnavailable: {{ toJson .maxUnavailable }}
  {{- end }}
  unhealthyPodEvictionPolicy: {{ .unhealthyPodEvictionPolicy }}
  selector:
    matchLabels:
      {{- include "payorch.selector" (list (index $ 0) (index $ 1)) | nindent 6 }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Of the values of a component: instances that there are at least; two, where another autoscaler decides. */ -}}
{{- define "payorch.fewest" -}}
{{- if .autoscaling.enabled -}}
{{ int .autoscaling.minReplicas }}
{{- else if kindIs "invalid" .replicas -}}
2
{{- else -}}
{{ int .replicas }}
{{- end -}}
{{- end -}}

{{- /* Of the root, a component, its values, its container and its gauge of calls in progress. */ -}}
{{- define "payorch.autoscaler" -}}
{{- $container := index . 3 -}}
{{- $gauge := index . 4 -}}
{{- with (index . 2).autoscaling -}}
{{- if .enabled -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "payorch.metadata" (dict "root" (index $ 0) "component" (index $ 1)) | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "payorch.fullname" $ | quote }}
  minReplicas: {{ .minReplicas | int }}
  maxReplicas: {{ .maxReplicas | int }}
  metrics:
    {{- if gt (int .cpuUtilization) 0 }}
    # Of the container: an emulator or a mesh in the same pod does not count.
    - type: ContainerResource
      containerResource:
        name: cpu
        container: {{ $container }}
        target:
          type: Utilization
          averageUtilization: {{ .cpuUtilization | int }}
    {{- end }}
    {{- if gt (int .callsInFlight) 0 }}
    - type: Pods
      pods:
        metric:
          name: {{ $gauge }}
        target:
          type: AverageValue
          averageValue: {{ .callsInFlight | int | quote }}
    {{- end }}
  {{- with .behavior }}
  behavior:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}
{{- end -}}
