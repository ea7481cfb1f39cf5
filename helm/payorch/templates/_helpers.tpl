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

{{- /*
Metadata of an object, of a dict: root, component, a suffix of the name, and labels and annotations of its own; name
and namespace, if they are others.
*/ -}}
{{- define "payorch.metadata" -}}
name: {{ default (printf "%s%s" (include "payorch.fullname" (list .root .component)) (default "" .suffix)) .name | quote }}
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

{{- /* A text whose links to docs/ lead to where the documentation is; where that is unknown, it names the files. */ -}}
{{- define "payorch.withDocs" -}}
{{- $root := index . 0 -}}
{{- $text := index . 1 -}}
{{- if $root.Values.docsUrl -}}
{{- $text = $text | replace "docs/" (printf "%s/" (trimSuffix "/" $root.Values.docsUrl)) -}}
{{- else -}}
{{- $text = regexReplaceAll `\[([^\[\]]+)\]\((docs/[^()]+)\)` $text "${1}: ${2}" -}}
{{- end -}}
{{- $text -}}
{{- end -}}

{{- /* Port of Redis, of the url of a store. */ -}}
{{- define "payorch.redisPort" -}}
{{ regexFind ":[0-9]+(/|$)" . | trimPrefix ":" | trimSuffix "/" | default "6379" }}
{{- end -}}
