package payorch

import (
	"crypto/rand"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	payorchv1 "payorch.internal/client/payorch/v1"
)

const (
	paymentWithoutID = "request_id: it is required, because the request pays an invoice. An id made by the client would " +
		"differ in each call, so a retry around the call would charge twice. Store NewRequestID() with the order, and set it."
	questionWithoutID = "request_id: it is required; it names the intent that is asked about"
)

// NewRequestID returns a fresh name for an intent: a UUID of version 7 (RFC 9562), from which the service learns when it
// was made.
//
// Store it with the order before the first send, and use it for every resend of the same thing to be done.
func NewRequestID() string {
	var id [16]byte
	milliseconds := time.Now().UnixMilli()
	for index := range 6 {
		id[index] = byte(milliseconds >> (40 - 8*index))
	}
	_, _ = rand.Read(id[6:]) // it never fails
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// paysInvoice returns whether a request moves money by itself: it pays an invoice with an Apple Pay token. A session
// does not: money moves only once a browser uses it.
func paysInvoice(request proto.Message) bool {
	switch request := request.(type) {
	case *payorchv1.DecryptApplePayRequest:
		return request.GetPayInvoice() != nil
	case *payorchv1.CreatePaymentMethodRequest:
		return request.GetApplePay().GetPayInvoice() != nil
	}
	return false
}

// named returns the request id of a message, after setting a fresh one where it has none and may have one of the
// client's. It is empty where the RPC has none. The error is that of an argument.
func named(request proto.Message) (string, error) {
	message := request.ProtoReflect()
	field := message.Descriptor().Fields().ByName("request_id")
	// That of GetCall names other calls, or is left out.
	if _, ok := request.(*payorchv1.GetCallRequest); ok || field == nil {
		return "", nil
	}
	if id := message.Get(field).String(); id != "" {
		return id, nil
	}
	if paysInvoice(request) {
		return "", argument(paymentWithoutID)
	}
	// The service would answer truthfully that it knows nothing of a fresh one.
	if _, ok := request.(*payorchv1.GetIntentRequest); ok {
		return "", argument(questionWithoutID)
	}
	id := NewRequestID()
	message.Set(field, protoreflect.ValueOfString(id))
	return id, nil
}
