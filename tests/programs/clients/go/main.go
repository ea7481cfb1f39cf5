// Makes calls with grpc-go and prints what their errors carry, read with its status package.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const timeout = 30 * time.Second

type call struct {
	Method  string `json:"method"`
	Request []byte `json:"request"`
	TrackID string `json:"track_id"`
}

type answer struct {
	Code           uint32              `json:"code"`
	Message        string              `json:"message"`
	Reason         string              `json:"reason"`
	Metadata       map[string]string   `json:"metadata"`
	Outcome        string              `json:"outcome"`
	Advice         string              `json:"advice"`
	TrackID        string              `json:"track_id"`
	ZuoraCodes     []string            `json:"zuora_codes"`
	ZuoraProcessID string              `json:"zuora_process_id"`
	ZuoraRequestID string              `json:"zuora_request_id"`
	Attempts       [][]any             `json:"attempts"`
	Existing       [2]string           `json:"existing"`
	Violations     [][3]string         `json:"violations"`
	Trailers       map[string][]string `json:"trailers"`
}

// asIs sends bytes that are already encoded, and looks at no answer.
type asIs struct{}

func (asIs) Marshal(message any) ([]byte, error) { return message.([]byte), nil }
func (asIs) Unmarshal([]byte, any) error         { return nil }
func (asIs) Name() string                        { return "proto" }

func main() {
	var plan struct {
		Target string `json:"target"`
		Calls  []call `json:"calls"`
	}
	check(json.Unmarshal(read(os.Args[1]), &plan))
	register(read(os.Args[2]), "payorch.v1.CallOutcome")
	connection, err := grpc.NewClient(plan.Target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	answers := make([]answer, 0, len(plan.Calls))
	for _, planned := range plan.Calls {
		answers = append(answers, ask(connection, planned))
	}
	check(json.NewEncoder(os.Stdout).Encode(answers))
}

// register makes a type known by its descriptor, so that status.Details can unpack it.
func register(descriptorSet []byte, name protoreflect.FullName) {
	set := new(descriptorpb.FileDescriptorSet)
	check(proto.Unmarshal(descriptorSet, set))
	files, err := protodesc.NewFiles(set)
	check(err)
	found, err := files.FindDescriptorByName(name)
	check(err)
	kind := dynamicpb.NewMessageType(found.(protoreflect.MessageDescriptor))
	check(protoregistry.GlobalTypes.RegisterMessage(kind))
}

func ask(connection *grpc.ClientConn, planned call) answer {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "zuora-track-id", planned.TrackID)
	var trailer metadata.MD
	err := connection.Invoke(ctx, planned.Method, planned.Request, nil, grpc.ForceCodec(asIs{}), grpc.Trailer(&trailer))
	told := status.Convert(err)
	result := answer{
		Code:       uint32(told.Code()),
		Message:    told.Message(),
		Metadata:   map[string]string{},
		ZuoraCodes: []string{},
		Attempts:   [][]any{},
		Violations: [][3]string{},
		Trailers:   texts(trailer),
	}
	for _, detail := range told.Details() {
		result.read(detail)
	}
	return result
}

func (a *answer) read(detail any) {
	switch detail := detail.(type) {
	case *errdetails.ErrorInfo:
		a.Reason = detail.GetReason()
		for key, value := range detail.GetMetadata() {
			a.Metadata[key] = value
		}
	case *errdetails.BadRequest:
		for _, violation := range detail.GetFieldViolations() {
			a.Violations = append(a.Violations, [3]string{violation.GetField(), violation.GetReason(), violation.GetDescription()})
		}
	case *dynamicpb.Message:
		a.readOutcome(detail)
	case error:
		log.Fatalf("a detail cannot be read: %v", detail)
	}
}

func (a *answer) readOutcome(outcome protoreflect.Message) {
	a.Outcome, a.Advice = word(outcome, "outcome"), word(outcome, "advice")
	a.TrackID = get(outcome, "track_id").String()
	a.ZuoraProcessID = get(outcome, "zuora_process_id").String()
	a.ZuoraRequestID = get(outcome, "zuora_request_id").String()
	codes := get(outcome, "zuora_codes").List()
	for index := range codes.Len() {
		a.ZuoraCodes = append(a.ZuoraCodes, codes.Get(index).String())
	}
	attempts := get(outcome, "attempts").List()
	for index := range attempts.Len() {
		attempt := attempts.Get(index).Message()
		ordinal, httpStatus := get(attempt, "ordinal").Int(), get(attempt, "http_status").Int()
		a.Attempts = append(a.Attempts, []any{ordinal, httpStatus, get(attempt, "zuora_request_id").String()})
	}
	existing := get(outcome, "existing").Message()
	a.Existing = [2]string{get(existing, "payment_method_id").String(), get(existing, "payment_id").String()}
}

func get(message protoreflect.Message, name protoreflect.Name) protoreflect.Value {
	return message.Get(message.Descriptor().Fields().ByName(name))
}

// word returns the name of an enum's value.
func word(message protoreflect.Message, name protoreflect.Name) string {
	values := message.Descriptor().Fields().ByName(name).Enum().Values()
	return string(values.ByNumber(get(message, name).Enum()).Name())
}

func texts(trailer metadata.MD) map[string][]string {
	found := map[string][]string{}
	for key, values := range trailer {
		for _, value := range values {
			if strings.HasSuffix(key, "-bin") {
				value = base64.StdEncoding.EncodeToString([]byte(value))
			}
			found[key] = append(found[key], value)
		}
	}
	return found
}

func read(name string) []byte {
	content, err := os.ReadFile(name)
	check(err)
	return content
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
