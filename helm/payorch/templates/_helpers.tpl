{{- define "payorch.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* The chart's version is a label, but never a selector: selectors cannot be changed. */ -}}
{{- define "payorch.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: service
{{- end -}}

{{- define "payorch.labels" -}}
{{ include "payorch.selector" . }}
{{ include "payorch.version" . }}
{{- end -}}

{{- define "payorch.version" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "payorch.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "payorch.grpcPort" -}}
{{ .Values.config.rpc.listen | splitList ":" | last }}
{{- end -}}

{{- define "payorch.adminPort" -}}
{{ .Values.config.admin.listen | splitList ":" | last }}
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
{{- $kind := dig "store" "kind" "memory" $config -}}
{{- if and (ne $kind "redis") (gt (int .Values.replicas) 1) -}}
{{- fail "replicas: more than one needs config.store.kind redis: replicas with a memory store know nothing of each other" -}}
{{- end -}}
{{- range $tenant, $settings := $config.tenants -}}
{{- if not (hasKey $.Values.clientSecrets $tenant) -}}
{{- fail (printf "clientSecrets.%s is missing: config.tenants has this tenant" $tenant) -}}
{{- end -}}
{{- $_ := set $settings "client_secret_file" (printf "%s/%s" (include "payorch.secretFolder" $) $tenant) -}}
{{- end -}}
{{- range $tenant, $secret := .Values.clientSecrets -}}
{{- if not (hasKey $config.tenants $tenant) -}}
{{- fail (printf "config.tenants.%s is missing: clientSecrets has this tenant" $tenant) -}}
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

{{- /* Of the pod of `helm test`; another component, so that the Services do not take it for an instance. */ -}}
{{- define "payorch.testLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
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
