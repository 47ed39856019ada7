{{- define "zk.labels" -}}
app.kubernetes.io/name: zk-agent
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "zk.meta" -}}
{{ include "zk.labels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
{{- /* Pod N is server N+1: an id of 0 is none that every client of old takes. */ -}}
{{- define "zk.servers" -}}
{{- $lines := list -}}
{{- range $i := until (int .Values.replicas) -}}
{{- $host := printf "%s-%d.%s-headless.%s.svc.%s" $.Release.Name $i $.Release.Name $.Release.Namespace $.Values.clusterDomain -}}
{{- $lines = append $lines (printf "server.%d=%s:2888:3888;2181" (add1 $i) $host) -}}
{{- end -}}
{{- join " " $lines -}}
{{- end }}
{{- define "zk.extra" -}}
{{- $lines := list -}}
{{- range $key, $value := .Values.config -}}
{{- $text := printf "%v" $value -}}
{{- if kindIs "float64" $value -}}{{- $text = printf "%d" (int64 $value) -}}{{- end -}}
{{- $lines = append $lines (printf "%s=%s" $key $text) -}}
{{- end -}}
{{- join " " $lines -}}
{{- end }}
