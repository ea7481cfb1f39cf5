{{- /* Of the root and a path: a file of rules with the objectives of the values. */ -}}
{{- define "payorch.ruleFile" -}}
{{- $text := (index . 0).Files.Get (index . 1) -}}
{{- with (index . 0).Values.slo -}}
{{- $unavailable := subf 100 .availability -}}
{{- $late := subf 100 .latency -}}
{{- $text = $text | replace "* 0.005" (divf $unavailable 100 | printf "* %.6g") | replace "; 0.5 %" (printf "; %.6g %%" $unavailable) -}}
{{- $text = $text | replace "* 0.01" (divf $late 100 | printf "* %.6g") | replace "; 1 %" (printf "; %.6g %%" $late) -}}
{{- range $rpc, $seconds := .latencySeconds -}}
{{- $limit := ternary (printf "%.1f" (float64 $seconds)) (toString $seconds) (eq (float64 $seconds) (floor $seconds)) -}}
{{- $text = regexReplaceAll (printf `(/%s",le=")[^"]+` $rpc) $text (printf "${1}%s" $limit) -}}
{{- end -}}
{{- end -}}
{{- $text -}}
{{- end -}}

{{- /* Of the root and a path: a dashboard with the objectives of the values in the colours and texts of its panels. */ -}}
{{- define "payorch.dashboardFile" -}}
{{- $text := (index . 0).Files.Get (index . 1) -}}
{{- with (index . 0).Values.slo -}}
{{- $within := .latencySeconds -}}
{{- $others := maxf $within.CreatePaymentMethod $within.DecryptApplePay -}}
{{- $text = $text | replace "the objective is 99.5 %" (printf "the objective is %v %%" .availability) -}}
{{- $text = $text | replace "99 % within 2.5 s for CreateSession, and within 5 s" (printf "%v %% within %v s for CreateSession, and within %v s" .latency $within.CreateSession $others) -}}
{{- $bounds := dict "Availability, last day" (list (subf 1 (mulf 2 (subf 1 (divf .availability 100)))) (divf .availability 100)) -}}
{{- $_ := set $bounds "Latency, 95th percentile" (list (minf $within.CreateSession $others) (maxf $within.CreateSession $others)) -}}
{{- range $title, $pair := $bounds -}}
{{- $steps := printf `(?s)("title": %q,.*?"steps": \[.*?\},.*?"value": )[\d.]+(.*?"value": )[\d.]+` $title -}}
{{- $text = regexReplaceAll $steps $text (printf "${1}%.6g${2}%.6g" (index $pair 0) (index $pair 1)) -}}
{{- end -}}
{{- end -}}
{{- $text -}}
{{- end -}}

{{- /* Of the root and a rule: the rule with what the values change; empty if they leave it out. */ -}}
{{- define "payorch.rule" -}}
{{- $root := index . 0 -}}
{{- $rule := index . 1 -}}
{{- $changes := get (default dict $root.Values.alerts.rules) (default "" $rule.alert) | default dict -}}
{{- if $rule.alert -}}
{{- with $root.Values.alerts -}}
{{- $annotations := omit $rule.annotations "runbook_url" -}}
{{- $anchor := splitList "#" $rule.annotations.runbook_url | last -}}
{{- if .runbookUrl -}}
{{- $_ := set $annotations "runbook_url" (printf "%s#%s" .runbookUrl $anchor) -}}
{{- else if $root.Values.docsUrl -}}
{{- $_ := set $annotations "runbook_url" (printf "%s/runbooks.md#%s" (trimSuffix "/" $root.Values.docsUrl) $anchor) -}}
{{- else -}}
{{- $_ := set $annotations "runbook" $rule.annotations.runbook_url -}}
{{- end -}}
{{- $_ := set $rule "annotations" (mergeOverwrite $annotations (default dict .ruleAnnotations) (default dict $changes.annotations)) -}}
{{- $_ := set $rule "labels" (mergeOverwrite $rule.labels (default dict .ruleLabels) (default dict $changes.labels)) -}}
{{- end -}}
{{- with get $changes "for" -}}
{{- $_ := set $rule "for" . -}}
{{- end -}}
{{- if hasKey $changes "threshold" -}}
{{- $comparison := get ($root.Files.Get "alert-thresholds.yaml" | fromYaml) $rule.alert -}}
{{- $operator := splitList " " $comparison | first -}}
{{- $_ := set $rule "expr" ($rule.expr | replace $comparison (printf "%s %v" $operator $changes.threshold)) -}}
{{- end -}}
{{- end -}}
{{- if ne (toString $changes.enabled) "false" -}}
{{- toYaml $rule -}}
{{- end -}}
{{- end -}}

{{- define "payorch.checkAlerts" -}}
{{- $names := list -}}
{{- range $path, $_ := .Files.Glob "alerts/*.yaml" -}}
{{- range ($.Files.Get $path | fromYaml).groups -}}
{{- range .rules -}}
{{- $names = append $names (default "" .alert) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $thresholds := .Files.Get "alert-thresholds.yaml" | fromYaml -}}
{{- range $name, $changes := .Values.alerts.rules -}}
{{- if not (has $name $names) -}}
{{- fail (printf "alerts.rules.%s: there is no such alert%s" $name (include "payorch.didYouMean" (list $name (compact $names | uniq)))) -}}
{{- end -}}
{{- if and (hasKey (default dict $changes) "threshold") (not (hasKey $thresholds $name)) -}}
{{- fail (printf "alerts.rules.%s.threshold: this alert has none; those that have one are in README.md" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
