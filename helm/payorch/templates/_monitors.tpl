{{- /* Empty unless Prometheus scrapes. */ -}}
{{- define "payorch.scraped" -}}
{{- if or .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}yes{{- end -}}
{{- end -}}

{{- /* Of the root, a component, and its admin port: what Prometheus scrapes it by. */ -}}
{{- define "payorch.monitor" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $selector := include "payorch.selector" (list $root $component) -}}
{{- with $root.Values.serviceMonitor -}}
{{- if .enabled -}}
# The admin port has no Service that callers could find; this one is for Prometheus alone.
apiVersion: v1
kind: Service
metadata:
  {{- include "payorch.metadata" (dict "root" $root "component" $component "suffix" "-metrics" "labels" (dict "payorch-metrics" "true")) | nindent 2 }}
spec:
  type: ClusterIP
  clusterIP: None
  # An instance that is not ready has metrics as well, and then they matter most.
  publishNotReadyAddresses: true
  selector:
    {{- $selector | nindent 4 }}
  ports:
    - name: admin
      port: {{ index $ 2 }}
      targetPort: admin
---
{{ end -}}
{{- if include "payorch.scraped" $root -}}
apiVersion: monitoring.coreos.com/v1
kind: {{ ternary "ServiceMonitor" "PodMonitor" (not (empty .enabled)) }}
metadata:
  {{- include "payorch.metadata" (dict "root" $root "component" $component "labels" .labels "annotations" .annotations "namespace" .namespace) | nindent 2 }}
spec:
  {{- if .namespace }}
  namespaceSelector:
    matchNames: [{{ include "payorch.namespace" $root | quote }}]
  {{- end }}
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
      {{- if .enabled }}
      payorch-metrics: "true"
      {{- end }}
  {{ ternary "endpoints" "podMetricsEndpoints" (not (empty .enabled)) }}:
    - port: admin
      path: /metrics
      interval: {{ .interval | quote }}
      {{- with .scrapeTimeout }}
      scrapeTimeout: {{ . }}
      {{- end }}
      # A tenant called instance or job must not hide whose metric it is.
      honorLabels: false
      {{- with .relabelings }}
      relabelings:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .metricRelabelings }}
      metricRelabelings:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}
{{- end -}}
{{- end -}}
