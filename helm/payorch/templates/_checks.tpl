{{- /* What must hold between values, where a schema would not say it in words. */ -}}
{{- define "payorch.checks" -}}
{{- include "payorch.checkTenants" . -}}
{{- include "payorch.checkFiles" . -}}
{{- include "payorch.checkWorkload" (dict "path" "" "values" .Values "drain" (include "payorch.drain" .) "shared" (include "payorch.redis" .) "store" "config.store.kind") -}}
{{- include "payorch.checkEmulator" . -}}
{{- include "payorch.checkPorts" . -}}
{{- include "payorch.checkLabels" . -}}
{{- include "payorch.checkEntrance" . -}}
{{- include "payorch.checkCertificate" (dict "path" "" "values" .Values) -}}
{{- include "payorch.checkExternalSecrets" . -}}
{{- include "payorch.checkRoutes" . -}}
{{- include "payorch.checkAlerts" . -}}
{{- include "payorch.checkMonitors" . -}}
{{- end -}}

{{- define "payorch.checkTenants" -}}
{{- range $tenant, $_ := .Values.config.tenants -}}
{{- if not (hasKey $.Values.clientSecrets $tenant) -}}
{{- fail (printf "clientSecrets.%s is missing: config.tenants has this tenant" $tenant) -}}
{{- end -}}
{{- end -}}
{{- range $tenant, $_ := .Values.clientSecrets -}}
{{- if not (hasKey $.Values.config.tenants $tenant) -}}
{{- fail (printf "config.tenants.%s is missing: clientSecrets has this tenant%s" $tenant (include "payorch.didYouMean" (list $tenant (keys $.Values.config.tenants)))) -}}
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
{{- range $name, $issuer := $jwt -}}
{{- $file := default (ternary $issuer.ca_file "" (hasPrefix "/etc/payorch/key-set/" (default "" $issuer.ca_file))) $issuer.key_set_file -}}
{{- if and $file (not $.Values.keySetConfigMap) -}}
{{- fail (printf "keySetConfigMap: config.identity.jwt.%s needs it, nothing else is mounted that could hold %s" $name $file) -}}
{{- end -}}
{{- end -}}
{{- if and $keys (not .Values.fleetSecret) -}}
{{- fail "fleetSecret: config.intents.keys needs it, nothing else is mounted that could hold the keys" -}}
{{- end -}}
{{- end -}}

{{- /*
Of service or hub, a dict: the path of their values, these, how many seconds the drain takes, whether there is a store
that pods share, and the setting of the store.
*/ -}}
{{- define "payorch.checkWorkload" -}}
{{- include "payorch.checkReplicas" . -}}
{{- include "payorch.checkAutoscaler" . -}}
{{- include "payorch.checkEnd" . -}}
{{- include "payorch.checkBudget" . -}}
{{- end -}}

{{- define "payorch.checkReplicas" -}}
{{- $reason := printf "needs %s redis: replicas with a memory store know nothing of each other's payments" .store -}}
{{- if not .shared -}}
{{- if .values.autoscaling.enabled -}}
{{- fail (printf "%sautoscaling.enabled: %s" .path $reason) -}}
{{- end -}}
{{- if kindIs "invalid" .values.replicas -}}
{{- fail (printf "%sreplicas: null, which leaves the number to another autoscaler, %s" .path $reason) -}}
{{- end -}}
{{- if gt (int .values.replicas) 1 -}}
{{- fail (printf "%sreplicas: more than one %s" .path $reason) -}}
{{- end -}}
{{- if and .values.strategy (ne (default "" .values.strategy.type) "Recreate") -}}
{{- fail (printf "%sstrategy.type: must be Recreate, or a second pod starts beside the first; another %s" .path $reason) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "payorch.checkEnd" -}}
{{- $given := int .values.terminationGracePeriodSeconds -}}
{{- if and (gt $given 0) (lt (float64 $given) (float64 .drain)) -}}
{{- fail (printf "%sterminationGracePeriodSeconds: %d is shorter than the drain, which takes %s s; executions would be killed whose outcome is not recorded" .path $given .drain) -}}
{{- end -}}
{{- end -}}

{{- /* A budget that lets no pod go keeps nodes from ever being drained. */ -}}
{{- define "payorch.checkBudget" -}}
{{- $fewest := include "payorch.fewest" .values | int -}}
{{- $path := .path -}}
{{- with .values.podDisruptionBudget -}}
{{- if and .enabled (gt $fewest 1) -}}
{{- $least := toString (default "" .minAvailable) -}}
{{- if and (not (hasSuffix "%" $least)) (ge (int $least) $fewest) -}}
{{- fail (printf "%spodDisruptionBudget.minAvailable: %s of %d instances leave none that a node drain may take away" $path $least $fewest) -}}
{{- end -}}
{{- if and (eq $least "") (has (toString .maxUnavailable) (list "0" "0%" "<nil>")) -}}
{{- fail (printf "%spodDisruptionBudget.maxUnavailable: 0 lets no node be drained; podDisruptionBudget.enabled: false installs none" $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
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
{{- if or .Values.autoscaling.enabled (kindIs "invalid" .Values.replicas) (gt (int .Values.replicas) 1) -}}
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

{{- /* How callers outside of the cluster get in. */ -}}
{{- define "payorch.checkEntrance" -}}
{{- range $value := list "ingress" "grpcRoute" -}}
{{- if and (get $.Values $value).enabled (not $.Values.host) -}}
{{- fail (printf "host: %s.enabled needs it, the name under which callers outside reach the service" $value) -}}
{{- end -}}
{{- end -}}
{{- with .Values.grpcRoute -}}
{{- if and .enabled (not .parents) -}}
{{- fail "grpcRoute.parents: must name the Gateway that the route belongs to" -}}
{{- end -}}
{{- if and .enabled (include "payorch.tls" $) (not .caConfigMap) -}}
{{- fail "grpcRoute.caConfigMap: must name the authority of the pods' certificate: with config.grpc.tls the Gateway has to speak TLS to them" -}}
{{- end -}}
{{- if and .enabled .caConfigMap (not (include "payorch.tls" $)) -}}
{{- fail "grpcRoute.caConfigMap: the pods speak plaintext, so the Gateway could not reach them over TLS; see config.grpc.tls" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Of the path of the values, and the values that have certificate and tlsSecret. */ -}}
{{- define "payorch.checkCertificate" -}}
{{- if .values.certificate.enabled -}}
{{- if not .values.tlsSecret -}}
{{- fail (printf "%stlsSecret: %scertificate.enabled needs it, the name of the Secret that cert-manager makes" .path .path) -}}
{{- end -}}
{{- if not (dig "name" "" (default dict .values.certificate.issuer)) -}}
{{- fail (printf "%scertificate.issuer.name: must name the issuer that signs the certificate" .path) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "payorch.checkExternalSecrets" -}}
{{- $mounted := include "payorch.secrets" . | fromJsonArray -}}
{{- with .Values.externalSecrets -}}
{{- if .enabled -}}
{{- if not (dig "name" "" (default dict .store)) -}}
{{- fail "externalSecrets.store.name: must name the store that holds the secrets" -}}
{{- end -}}
{{- range $secret, $_ := .secrets -}}
{{- if not (has $secret $mounted) -}}
{{- fail (printf "externalSecrets.secrets.%s: the chart mounts no such Secret%s" $secret (include "payorch.didYouMean" (list $secret $mounted))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* A route to a tenant that is not there would keep the service from starting. */ -}}
{{- define "payorch.checkRoutes" -}}
{{- $tenants := keys .Values.config.tenants -}}
{{- range $index, $rule := .Values.config.routing -}}
{{- if not (has $rule.to.tenant $tenants) -}}
{{- fail (printf "config.routing[%d].to.tenant: config.tenants has no %s%s" $index $rule.to.tenant (include "payorch.didYouMean" (list $rule.to.tenant $tenants))) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "payorch.checkMonitors" -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "podMonitor.enabled: serviceMonitor.enabled is true as well, so every series would be there twice" -}}
{{- end -}}
{{- with .Values.serviceMonitor -}}
{{- $interval := ternary 60 (trimSuffix "s" .interval | int) (eq .interval "1m") -}}
{{- if gt (trimSuffix "s" (default "" .scrapeTimeout) | int) $interval -}}
{{- fail (printf "serviceMonitor.scrapeTimeout: %s is longer than interval, %s" .scrapeTimeout .interval) -}}
{{- end -}}
{{- end -}}
{{- end -}}
