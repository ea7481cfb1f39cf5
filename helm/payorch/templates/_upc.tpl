{{- define "payorch.upc.name" -}}
{{ include "payorch.name" . }}-upc
{{- end -}}

{{- define "payorch.upc.port" -}}
{{ .Values.upc.config.upc.listen | splitList ":" | last }}
{{- end -}}

{{- define "payorch.upc.adminPort" -}}
{{ .Values.upc.config.admin.listen | splitList ":" | last }}
{{- end -}}

{{- /* Empty where a proxy in front ends TLS. */ -}}
{{- define "payorch.upc.tls" -}}
{{- if .Values.upc.config.upc.tls -}}yes{{- end -}}
{{- end -}}

{{- define "payorch.upc.appProtocol" -}}
{{- ternary "https" "http" (eq (include "payorch.upc.tls" .) "yes") -}}
{{- end -}}

{{- /* Empty unless requests are recorded in Redis. */ -}}
{{- define "payorch.upc.redis" -}}
{{- if eq (dig "store" "kind" "memory" .Values.upc.config) "redis" -}}yes{{- end -}}
{{- end -}}

{{- /* The part that is read once, at the start: a running hub takes over changes of hubs and gateways. */ -}}
{{- define "payorch.upc.fixedConfig" -}}
{{- $config := .Values.upc.config -}}
{{- merge (dict "upc" (omit $config.upc "hubs" "gateways")) (omit $config "upc") | toYaml -}}
{{- end -}}

{{- /* Ports of the plug-ins, as a YAML list, each once. */ -}}
{{- define "payorch.upc.pluginPorts" -}}
{{- $ports := list -}}
{{- range .Values.upc.config.upc.gateways -}}
{{- $ports = append $ports (regexFind "[0-9]+$" .target | int) -}}
{{- end -}}
{{- range $ports | uniq | sortAlpha -}}
- {port: {{ . }}, protocol: TCP}
{{ end -}}
{{- end -}}

{{- define "payorch.upc.ports" -}}
- name: https
  containerPort: {{ include "payorch.upc.port" . }}
- name: admin
  containerPort: {{ include "payorch.upc.adminPort" . }}
{{- end -}}

{{- define "payorch.upc.servicePorts" -}}
- name: https
  port: {{ include "payorch.upc.port" . }}
  targetPort: https
  appProtocol: {{ include "payorch.upc.appProtocol" . | quote }}
{{- end -}}

{{- /*
Seconds. An execution outlives Zuora's connection and records its end within 120; one that is killed leaves an open
record, which is answered 503 until its lease has expired.
*/ -}}
{{- define "payorch.upc.drain" -}}
{{ addf .Values.upc.config.upc.drain_wait_s 120 }}
{{- end -}}

{{- /* What the hub's pods mount: no OAuth secret, and not the service's keys. */ -}}
{{- define "payorch.upc.volumes" -}}
- name: config
  configMap:
    name: {{ include "payorch.upc.name" . | quote }}
- name: credentials
  secret:
    secretName: {{ .Values.upc.credentialsSecret | quote }}
    defaultMode: 0440
{{- if .Values.upc.fleetSecret }}
- name: fleet
  secret:
    secretName: {{ .Values.upc.fleetSecret | quote }}
    defaultMode: 0440
{{- end }}
{{- if .Values.upc.tlsSecret }}
- name: tls
  secret:
    secretName: {{ .Values.upc.tlsSecret | quote }}
    defaultMode: 0440
{{- end }}
{{- if .Values.upc.pluginTlsSecret }}
- name: plugin-tls
  secret:
    secretName: {{ .Values.upc.pluginTlsSecret | quote }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{- define "payorch.upc.volumeMounts" -}}
- name: config
  mountPath: /etc/payorch/config
  readOnly: true
- name: credentials
  mountPath: /etc/payorch/upc
  readOnly: true
{{- if .Values.upc.fleetSecret }}
- name: fleet
  mountPath: /etc/payorch/fleet
  readOnly: true
{{- end }}
{{- if .Values.upc.tlsSecret }}
- name: tls
  mountPath: /etc/payorch/tls
  readOnly: true
{{- end }}
{{- if .Values.upc.pluginTlsSecret }}
- name: plugin-tls
  mountPath: /etc/payorch/plugin-tls
  readOnly: true
{{- end }}
{{- end -}}

{{- /* Rules that lead to names and to Redis. */ -}}
{{- define "payorch.upc.storeEgress" -}}
- to:
    {{- toYaml .Values.networkPolicy.egress.dns | nindent 4 }}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- if include "payorch.upc.redis" . }}
- to:
    {{- toYaml .Values.upc.networkPolicy.redis | nindent 4 }}
  ports:
    - {port: {{ include "payorch.redisPort" .Values.upc.config.store.url }}, protocol: TCP}
{{- end }}
{{- end -}}
