{{- /* Of a name and the names that there are: a question with the nearest one, or nothing if none is near. */ -}}
{{- define "payorch.didYouMean" -}}
{{- $name := index . 0 -}}
{{- $best := "" -}}
{{- $least := div (add (len $name) 5) 3 | int -}}
{{- range $known := index . 1 | sortAlpha -}}
{{- $edits := include "payorch.edits" (list $name $known) | int -}}
{{- if lt $edits $least -}}
{{- $least = $edits -}}
{{- $best = $known -}}
{{- end -}}
{{- end -}}
{{- with $best -}}; did you mean {{ . }}?{{- end -}}
{{- end -}}

{{- /* Of two texts: how many letters have to be added, left out or replaced to make one of the other. */ -}}
{{- define "payorch.edits" -}}
{{- $from := splitList "" (index . 0 | lower) -}}
{{- $to := splitList "" (index . 1 | lower) -}}
{{- $row := untilStep 0 (add1 (len $to) | int) 1 -}}
{{- range $i, $letter := $from -}}
{{- $next := list (add1 $i | int) -}}
{{- range $j, $other := $to -}}
{{- $replaced := add (index $row $j) (ternary 0 1 (eq $letter $other)) -}}
{{- $next = append $next (min (add1 (index $row (add1 $j))) (add1 (last $next)) $replaced | int) -}}
{{- end -}}
{{- $row = $next -}}
{{- end -}}
{{- last $row -}}
{{- end -}}
