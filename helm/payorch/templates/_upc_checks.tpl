{{- /* What must hold between the hub's values. */ -}}
{{- define "payorch.upc.checks" -}}
{{- include "payorch.upc.checkStore" . -}}
{{- include "payorch.upc.checkSecrets" . -}}
{{- include "payorch.upc.checkListeners" . -}}
{{- include "payorch.upc.checkGateways" . -}}
{{- include "payorch.upc.checkEntrance" . -}}
{{- include "payorch.checkWorkload" (dict "path" "upc." "values" .Values.upc "drain" (include "payorch.upc.drain" .) "shared" (include "payorch.upc.redis" .) "store" "upc.config.store.kind") -}}
{{- end -}}

{{- define "payorch.upc.checkStore" -}}
{{- if and .Values.upc.declareFirstStart (not (include "payorch.upc.redis" .)) -}}
{{- fail "upc.declareFirstStart: needs upc.config.store.kind redis: a memory store ends with the process that declares it" -}}
{{- end -}}
{{- end -}}

{{- /* The hub faces the internet, so it gets nothing that the service alone needs. */ -}}
{{- define "payorch.upc.checkSecrets" -}}
{{- $upc := .Values.upc -}}
{{- if not $upc.credentialsSecret -}}
{{- fail "upc.credentialsSecret: must name the Secret with the passwords that Zuora presents" -}}
{{- end -}}
{{- if and $upc.config.keys (not $upc.fleetSecret) -}}
{{- fail "upc.fleetSecret: upc.config.keys needs it, nothing else is mounted that could hold the keys" -}}
{{- end -}}
{{- $theirs := list .Values.fleetSecret -}}
{{- range .Values.clientSecrets -}}
{{- $theirs = append $theirs .name -}}
{{- end -}}
{{- range $value := list "credentialsSecret" "fleetSecret" "tlsSecret" "pluginTlsSecret" -}}
{{- $name := get $upc $value -}}
{{- if and $name (has $name $theirs) -}}
{{- fail (printf "upc.%s: %s holds secrets of the service, and the hub faces the internet; make a Secret for the hub alone" $value $name) -}}
{{- end -}}
{{- end -}}
{{- range $value := list "extraEnv" "envFrom" "extraVolumes" "extraContainers" "initContainers" -}}
{{- $text := get $upc $value | toJson -}}
{{- range $name := compact $theirs -}}
{{- if or (contains (printf "\"name\":%q" $name) $text) (contains (printf "\"secretName\":%q" $name) $text) -}}
{{- fail (printf "upc.%s: %s holds secrets of the service, and the hub faces the internet; make a Secret for the hub alone" $value $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "payorch.upc.checkListeners" -}}
{{- $upc := .Values.upc.config.upc -}}
{{- if and $upc.tls (not .Values.upc.tlsSecret) -}}
{{- fail "upc.tlsSecret: upc.config.upc.tls needs it, nothing else is mounted that could hold the certificate" -}}
{{- end -}}
{{- if and .Values.upc.tlsSecret (not $upc.tls) -}}
{{- fail "upc.config.upc.tls: is missing, so the hub would speak plaintext in spite of upc.tlsSecret" -}}
{{- end -}}
{{- if not (or $upc.tls $upc.plaintext_behind_proxy) -}}
{{- fail "upc.config.upc.tls: is missing; where a proxy in front ends TLS, set upc.config.upc.plaintext_behind_proxy" -}}
{{- end -}}
{{- $port := include "payorch.upc.port" . -}}
{{- $admin := include "payorch.upc.adminPort" . -}}
{{- range $name, $number := dict "upc.config.upc.listen" $port "upc.config.admin.listen" $admin -}}
{{- if gt (int $number) 65535 -}}
{{- fail (printf "%s: there is no port %s" $name $number) -}}
{{- end -}}
{{- end -}}
{{- if eq $port $admin -}}
{{- fail (printf "upc.config.upc.listen: port %s is that of upc.config.admin.listen" $port) -}}
{{- end -}}
{{- end -}}

{{- define "payorch.upc.checkGateways" -}}
{{- $upc := .Values.upc.config.upc -}}
{{- if not $upc.hubs -}}
{{- fail "upc.config.upc.hubs: must name at least one hub, which Zuora calls" -}}
{{- end -}}
{{- range $name, $gateway := $upc.gateways -}}
{{- if not (regexMatch ":[1-9][0-9]*$" $gateway.target) -}}
{{- fail (printf "upc.config.upc.gateways.%s.target: must end with a port, such as :50051, which the NetworkPolicy then opens" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* How Zuora gets in. */ -}}
{{- define "payorch.upc.checkEntrance" -}}
{{- $upc := .Values.upc -}}
{{- range $value := list "ingress" "route" -}}
{{- if and (get $upc $value).enabled (not $upc.host) -}}
{{- fail (printf "upc.host: upc.%s.enabled needs it, the name under which Zuora calls the hub" $value) -}}
{{- end -}}
{{- end -}}
{{- if and $upc.certificate.enabled (not $upc.host) -}}
{{- fail "upc.host: upc.certificate.enabled needs it, the name under which Zuora calls the hub" -}}
{{- end -}}
{{- include "payorch.checkCertificate" (dict "path" "upc." "values" $upc) -}}
{{- if and $upc.route.enabled (not $upc.route.parents) -}}
{{- fail "upc.route.parents: must name the Gateway that the route belongs to" -}}
{{- end -}}
{{- end -}}
