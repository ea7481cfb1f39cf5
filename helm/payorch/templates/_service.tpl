{{- /* What the pods of the service hold. */ -}}
{{- define "payorch.ports" -}}
- name: grpc
  containerPort: {{ include "payorch.grpcPort" . }}
- name: admin
  containerPort: {{ include "payorch.adminPort" . }}
{{- with include "payorch.diagnosticsPort" . }}
- name: diagnostics
  containerPort: {{ . }}
{{- end }}
{{- end -}}

{{- define "payorch.servicePorts" -}}
- name: grpc
  port: {{ include "payorch.grpcPort" . }}
  targetPort: grpc
  appProtocol: {{ include "payorch.appProtocol" . | quote }}
{{- end -}}

{{- /* Seconds. An execution whose caller left may take 55, however short the grace of calls is. */ -}}
{{- define "payorch.drain" -}}
{{- with .Values.config.grpc -}}
{{ addf .drain_wait_s (maxf .drain_grace_s 55) }}
{{- end -}}
{{- end -}}

{{- define "payorch.volumes" -}}
- name: config
  configMap:
    name: {{ include "payorch.name" . | quote }}
- name: client-secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $tenant, $secret := .Values.clientSecrets }}
      - secret:
          name: {{ $secret.name | quote }}
          items:
            - key: {{ $secret.key | quote }}
              path: {{ $tenant | quote }}
      {{- end }}
{{- if .Values.fleetSecret }}
- name: fleet
  secret:
    secretName: {{ .Values.fleetSecret | quote }}
    defaultMode: 0440
{{- end }}
{{- if .Values.tlsSecret }}
- name: tls
  secret:
    secretName: {{ .Values.tlsSecret | quote }}
    defaultMode: 0440
{{- end }}
{{- if .Values.keySetConfigMap }}
- name: key-set
  configMap:
    name: {{ .Values.keySetConfigMap | quote }}
{{- end }}
{{- end -}}

{{- define "payorch.volumeMounts" -}}
- name: config
  mountPath: /etc/payorch/config
  readOnly: true
- name: client-secrets
  mountPath: {{ include "payorch.secretFolder" . }}
  readOnly: true
{{- if .Values.fleetSecret }}
- name: fleet
  mountPath: /etc/payorch/fleet
  readOnly: true
{{- end }}
{{- if .Values.tlsSecret }}
- name: tls
  mountPath: /etc/payorch/tls
  readOnly: true
{{- end }}
{{- if .Values.keySetConfigMap }}
- name: key-set
  mountPath: /etc/payorch/key-set
  readOnly: true
{{- end }}
{{- end -}}

{{- define "payorch.emulator" -}}
{{- if .Values.emulator.enabled -}}
# A sidecar: it is there before the service starts and until it has ended. In the same pod, because the service speaks
# plain HTTP with its own machine only.
- name: emulator
  {{- include "payorch.containerSpec" (list . .Values.emulator.image .Values.emulator.resources) | nindent 2 }}
  restartPolicy: Always
  args:
    - serve
    - --host=0.0.0.0
    - --port={{ .Values.emulator.port | int }}
    {{- range .Values.emulator.arguments }}
    - {{ . | quote }}
    {{- end }}
  ports:
    - name: emulator
      containerPort: {{ .Values.emulator.port | int }}
  startupProbe:
    httpGet: {path: /_emulator/health, port: emulator}
    periodSeconds: 1
    failureThreshold: 60
{{- end -}}
{{- end -}}
