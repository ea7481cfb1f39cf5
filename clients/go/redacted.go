package payorch

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"payorch.internal/client/internal/redaction"
)

// Redacted returns any message as text without anything sensitive: one line for each value that is set, as path: value.
//
// The messages of the contract print themselves so, in one line, with fmt's verbs and with log/slog. Packages that read
// fields themselves, such as encoding/json and protojson, show everything.
func Redacted(message proto.Message) string { return strings.Join(redaction.Lines(message), "\n") }
