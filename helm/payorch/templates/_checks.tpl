{{- /* What must hold between values, where a schema would not say it in words. */ -}}
{{- define "payorch.checks" -}}
{{- include "payorch.checkStore" . -}}
{{- include "payorch.checkTenants" . -}}
{{- include "payorch.checkFiles" . -}}
{{- include "payorch.checkAutoscaling" . -}}
{{- include "payorch.checkEmulator" . -}}
{{- include "payorch.checkPorts" . -}}
{{- include "payorch.checkLabels" . -}}
{{- end -}}

{{- define "payorch.checkStore" -}}
{{- if not (include "payorch.redis" .) -}}
{{- if .Values.autoscaling.enabled -}}
{{- fail "autoscaling.enabled: needs config.store.kind redis: replicas with a memory store know nothing of each other" -}}
{{- end -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail "replicas: more than one needs config.store.kind redis: replicas with a memory store know nothing of each other" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "payorch.checkTenants" -}}
{{- range $tenant, $_ := .Values.config.tenants -}}
{{- if not (hasKey $.Values.clientSecrets $tenant) -}}
{{- fail (printf "clientSecrets.%s is missing: config.tenants has this tenant" $tenant) -}}
{{- end -}}
{{- end -}}
{{- range $tenant, $_ := .Values.clientSecrets -}}
{{- if not (hasKey $.Values.config.tenants $tenant) -}}
{{- fail (printf "config.tenants.%s is missing: clientSecrets has this tenant" $tenant) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Files that the configuration names, and what they are mounted from. */ -}}
{{- define "payorch.checkFiles" -}}
{{- $jwt := dig "identity" "jwt" dict .Values.config | default dict -}}
{{- $keys := dig "intents" "keys" list .Values.config | default list -}}
{{- if and (include "payorch.tls" .) (not .Values.tlsSecret) -}}
{{- fail "tlsSecret: config.grpc.tls needs it, nothing else is mounted that could hold the certificate" -}}
{{- end -}}
{{- if and .Values.tlsSecret (not (include "payorch.tls" .)) -}}
{{- fail "config.grpc.tls: is missing, so the service would speak plaintext in spite of tlsSecret" -}}
{{- end -}}
{{- if and $jwt (not .Values.keySetConfigMap) -}}
{{- fail "keySetConfigMap: config.identity.jwt needs it, nothing else is mounted that could hold the keys" -}}
{{- end -}}
{{- if and $keys (not .Values.fleetSecret) -}}
{{- fail "fleetSecret: config.intents.keys needs it, nothing else is mounted that could hold the keys" -}}
{{- end -}}
{{- end -}}

{{- define "payorch.checkAutoscaling" -}}
{{- include "payorch.checkAutoscaler" (dict "path" "" "values" .Values) -}}
{{- end -}}

{{- /* Of where the values stand, and the values that have autoscaling and resources. */ -}}
{{- define "payorch.checkAutoscaler" -}}
{{- $path := .path -}}
{{- $resources := .values.resources -}}
{{- with .values.autoscaling -}}
{{- if .enabled -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail (printf "%sautoscaling.maxReplicas: %d is smaller than minReplicas, %d" $path (int .maxReplicas) (int .minReplicas)) -}}
{{- end -}}
{{- if and (eq (int .cpuUtilization) 0) (eq (int .callsInFlight) 0) -}}
{{- fail (printf "%sautoscaling.enabled: needs cpuUtilization or callsInFlight, both are 0" $path) -}}
{{- end -}}
{{- if and (gt (int .cpuUtilization) 0) (not (dig "requests" "cpu" "" $resources)) -}}
{{- fail (printf "%sresources.requests.cpu: %sautoscaling.cpuUtilization is a share of it" $path $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "payorch.checkEmulator" -}}
{{- if .Values.emulator.enabled -}}
{{- range $tenant, $settings := .Values.config.tenants -}}
{{- if hasSuffix "_production" (default "" $settings.environment) -}}
{{- fail (printf "emulator.enabled: tenant %s is of %s; nothing that an emulator says about money is true" $tenant $settings.environment) -}}
{{- end -}}
{{- end -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) -}}
{{- fail "emulator.enabled: needs replicas 1 without autoscaling, since each instance has an emulator of its own" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "payorch.checkPorts" -}}
{{- $ports := dict -}}
{{- $named := dict
  "config.grpc.listen" (include "payorch.grpcPort" .)
  "config.admin.listen" (include "payorch.adminPort" .)
  "config.diagnostics.listen" (splitList ":" .Values.config.diagnostics.listen | last)
  "emulator.port" (ternary (toString (int .Values.emulator.port)) "" (not (empty .Values.emulator.enabled)))
-}}
{{- range $name, $port := $named -}}
{{- if gt (int $port) 65535 -}}
{{- fail (printf "%s: there is no port %s" $name $port) -}}
{{- end -}}
{{- if and $port (hasKey $ports $port) -}}
{{- fail (printf "%s: port %s is that of %s" $name $port (get $ports $port)) -}}
{{- end -}}
{{- if $port -}}
{{- $_ := set $ports $port $name -}}
{{- end -}}
{{- end -}}
{{- if and (include "payorch.diagnosticsPort" .) .Values.networkPolicy.enabled (not .Values.networkPolicy.operators) -}}
{{- fail "networkPolicy.operators: must name who may reach config.diagnostics.listen, an empty list would let everybody in" -}}
{{- end -}}
{{- end -}}

{{- define "payorch.checkLabels" -}}
{{- if hasKey (default dict .Values.podAnnotations) "checksum/config" -}}
{{- fail "podAnnotations: checksum/config is the chart's own, it rolls the pods when what they read once has changed" -}}
{{- end -}}
{{- $ours := include "payorch.labels" (list . "service") | fromYaml -}}
{{- range $value := list "podLabels" "commonLabels" -}}
{{- range $label, $_ := default dict (get $.Values $value) -}}
{{- if hasKey $ours $label -}}
{{- fail (printf "%s: %s is the chart's own, Services and policies select by such" $value $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
