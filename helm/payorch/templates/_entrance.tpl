{{- /* Ways in, certificates and Secrets, by what others install in the cluster. */ -}}

{{- /* An Ingress, of a dict: root, component, its values, host, path and the Service's port. */ -}}
{{- define "payorch.ingress" -}}
{{- $of := . -}}
{{- with .values -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "payorch.metadata" (dict "root" $of.root "component" $of.component "annotations" .annotations) | nindent 2 }}
spec:
  {{- with .className }}
  ingressClassName: {{ . | quote }}
  {{- end }}
  tls:
    - hosts: [{{ $of.host | quote }}]
      {{- with .tlsSecret }}
      secretName: {{ . | quote }}
      {{- end }}
  rules:
    - host: {{ $of.host | quote }}
      http:
        paths:
          - path: {{ $of.path }}
            pathType: Prefix
            backend:
              service:
                name: {{ include "payorch.fullname" (list $of.root $of.component) | quote }}
                port:
                  name: {{ $of.port }}
{{- end -}}
{{- end -}}

{{- /* A Certificate, of a dict: root, component, its values, the Secret that it makes, names and usages. */ -}}
{{- define "payorch.certificate" -}}
{{- $of := . -}}
{{- with .values -}}
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  {{- include "payorch.metadata" (dict "root" $of.root "component" $of.component) | nindent 2 }}
spec:
  secretName: {{ $of.secret | quote }}
  issuerRef:
    {{- merge dict (default dict .issuer) (dict "kind" "Issuer" "group" "cert-manager.io") | toYaml | nindent 4 }}
  dnsNames:
    {{- concat $of.names (default list .dnsNames) | uniq | toYaml | nindent 4 }}
  usages:
    {{- toYaml $of.usages | nindent 4 }}
  privateKey: {rotationPolicy: Always}
  {{- with .duration }}
  duration: {{ . }}
  {{- end }}
  {{- with .renewBefore }}
  renewBefore: {{ . }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- /* The names of both Services, from the shortest that callers use to the longest. */ -}}
{{- define "payorch.dnsNames" -}}
{{- $namespace := include "payorch.namespace" . -}}
{{- range $suffix := list "" "-headless" }}
{{- $name := printf "%s%s" (include "payorch.name" $) $suffix }}
- {{ $name | quote }}
- {{ printf "%s.%s" $name $namespace | quote }}
- {{ printf "%s.%s.svc" $name $namespace | quote }}
- {{ printf "%s.%s.svc.cluster.local" $name $namespace | quote }}
{{- end }}
{{- end -}}

{{- /* Names of all Secrets that the chart mounts, as a JSON list. */ -}}
{{- define "payorch.secrets" -}}
{{- $names := list .Values.fleetSecret .Values.tlsSecret -}}
{{- range .Values.clientSecrets -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- if .Values.upc.enabled -}}
{{- with .Values.upc -}}
{{- $names = concat $names (list .credentialsSecret .fleetSecret .tlsSecret .pluginTlsSecret) -}}
{{- end -}}
{{- end -}}
{{- compact $names | uniq | toJson -}}
{{- end -}}
