package payorch_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"

	payorch "payorch.internal/client"
	payorchv1 "payorch.internal/client/payorch/v1"
)

const (
	secret = "4111111111111111"
	deep   = 6
)

// printed returns a message in every way in which programs print one.
func printed(message any) []string {
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		texts = append(texts, fmt.Sprintf(verb, message))
	}
	texts = append(texts, fmt.Sprint(message), fmt.Sprintf("%v", []any{message}), fmt.Errorf("of %v", message).Error())
	for _, handler := range []func(*bytes.Buffer) slog.Handler{
		func(out *bytes.Buffer) slog.Handler { return slog.NewTextHandler(out, nil) },
		func(out *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(out, nil) },
	} {
		var out bytes.Buffer
		slog.New(handler(&out)).Info("request", "message", message)
		texts = append(texts, out.String())
	}
	return texts
}

func TestNoMessageOfTheContractPrintsWhatIsSensitive(t *testing.T) {
	sensitive := 0
	protoregistry.GlobalTypes.RangeMessages(func(kind protoreflect.MessageType) bool {
		if kind.Descriptor().ParentFile().Package() != "payorch.v1" {
			return true
		}
		message := kind.New()
		sensitive += fill(message, deep)
		for _, text := range append(printed(message.Interface()), payorch.Redacted(message.Interface())) {
			if strings.Contains(text, secret) {
				t.Errorf("%s: %s", kind.Descriptor().FullName(), text)
			}
		}
		return true
	})
	if sensitive < 50 {
		t.Errorf("only %d sensitive fields were filled in", sensitive)
	}
}

// fill sets every field; what is sensitive holds the secret. It returns how many fields are.
func fill(message protoreflect.Message, depth int) int {
	sensitive := 0
	fields := message.Descriptor().Fields()
	for index := range fields.Len() {
		field := fields.Get(index)
		options, _ := field.Options().(*descriptorpb.FieldOptions)
		if proto.GetExtension(options, payorchv1.E_Sensitivity) != payorchv1.Sensitivity_SENSITIVITY_UNSPECIFIED {
			sensitive++
			conceal(message, field)
			continue
		}
		if field.Message() == nil || field.IsMap() || depth == 0 {
			continue
		}
		if field.IsList() {
			sensitive += fill(message.Mutable(field).List().AppendMutable().Message(), depth-1)
		} else {
			sensitive += fill(message.Mutable(field).Message(), depth-1)
		}
	}
	return sensitive
}

// conceal writes the secret into a field, or into the first text below it.
func conceal(message protoreflect.Message, field protoreflect.FieldDescriptor) {
	switch text := protoreflect.ValueOfString(secret); {
	case field.IsMap() && field.MapValue().Kind() == protoreflect.StringKind:
		message.Mutable(field).Map().Set(text.MapKey(), text)
	case field.IsList() && field.Kind() == protoreflect.StringKind:
		message.Mutable(field).List().Append(text)
	case field.IsMap() || field.IsList():
	case field.Kind() == protoreflect.StringKind:
		message.Set(field, text)
	case field.Kind() == protoreflect.BytesKind:
		message.Set(field, protoreflect.ValueOfBytes([]byte(secret)))
	case field.Message() != nil:
		below := message.Mutable(field).Message()
		fields := below.Descriptor().Fields()
		for index := range fields.Len() {
			if fields.Get(index).Kind() == protoreflect.StringKind {
				conceal(below, fields.Get(index))
			}
		}
	}
}

func TestRedactedTextHasALineForEachValue(t *testing.T) {
	request := &payorchv1.CreateSessionRequest{
		RequestId:      "order-4711\n",
		ValidateOnly:   true,
		GatewayOptions: map[string]string{"name": secret},
		Flow: &payorchv1.CreateSessionRequest_OneTimePayment{OneTimePayment: &payorchv1.OneTimePayment{
			AccountId: "A1", Amount: &money.Money{CurrencyCode: "USD", Units: 100},
		}},
	}
	expected := `request_id: "order-4711\n"
validate_only: true
one_time_payment.amount.currency_code: "USD"
one_time_payment.amount.units: 100
one_time_payment.account_id: "A1"
gateway_options: [redacted]`
	if text := payorch.Redacted(request); text != expected {
		t.Errorf("%s", text)
	}
	if text := fmt.Sprintf("%v", request); text != strings.ReplaceAll(expected, "\n", ", ") {
		t.Errorf("%s", text)
	}
}

func TestRedactedTextShowsNothingThatItCannotKnow(t *testing.T) {
	packed, err := anypb.New(&payorchv1.DecryptApplePayRequest{RequestId: "id", TokenJson: []byte(secret)})
	if err != nil {
		t.Fatal(err)
	}
	newer := &payorchv1.GetIntentRequest{Operation: 99}
	newer.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 99, protowire.BytesType), secret))
	for expected, message := range map[string]proto.Message{
		"(payorch.v1.DecryptApplePayRequest).request_id: \"id\"\n" +
			"(payorch.v1.DecryptApplePayRequest).token_json: [redacted]": packed,
		".: <16 bytes of a type that is not known>": &anypb.Any{TypeUrl: "a/b", Value: []byte(secret)},
		"operation: 99\n.: 1 unknown fields":        newer,
		".: set, without a value":                   &payorchv1.CreateSessionRequest{},
		"<nil>":                                     (*payorchv1.CreateSessionRequest)(nil),
	} {
		if text := payorch.Redacted(message); text != expected {
			t.Errorf("%s, not %s", text, expected)
		}
	}
}
