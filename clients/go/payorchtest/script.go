package payorchtest

import (
	"fmt"
	"slices"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"google.golang.org/protobuf/types/known/timestamppb"

	payorch "payorch.internal/client"
	payorchv1 "payorch.internal/client/payorch/v1"
)

// plan is what the next calls end with: an error of the service, or one without details as a proxy makes it.
type plan struct {
	rpc     string // empty: any
	left    int
	failure *failure
	nothing *status.Status
}

// comesBeforeTheRecord returns whether a call ends so although its intent is settled.
func (p *plan) comesBeforeTheRecord() bool {
	return p.nothing != nil || p.failure.outcome() == payorchv1.Outcome_OUTCOME_NOT_SENT
}

type intent struct{ rpc, requestID string }

// record is what is known of an intent.
type record struct {
	request  proto.Message // as it came first
	answer   proto.Message // nil as long as it has not succeeded
	failure  *failure      // how its last call failed; nil after a success
	settled  bool
	trackIDs []string
}

// script decides what each call ends with, and keeps the records of intents.
type script struct {
	plans   []*plan
	records map[intent]*record
	number  int
}

// mutating is what the requests that execute something have in common.
type mutating interface {
	proto.Message
	GetRequestId() string
	GetValidateOnly() bool
}

// next returns the plan for a call, if there is one.
func (s *script) next(rpc string, settled bool) *plan {
	for index, planned := range s.plans {
		if (planned.rpc != "" && planned.rpc != rpc) || (settled && !planned.comesBeforeTheRecord()) {
			continue
		}
		if planned.left--; planned.left <= 0 {
			s.plans = slices.Delete(s.plans, index, index+1)
		}
		return planned
	}
	return nil
}

// answer fills in the answer to a call and how it ended; the error is what the caller gets.
func (s *script) answer(call *Call, answer proto.Message) error {
	request, mutates := call.Request.(mutating)
	known := s.records[intent{call.RPC, call.RequestID}]
	planned := s.next(call.RPC, mutates && known != nil && known.settled)
	switch {
	case planned != nil && planned.nothing != nil: // a proxy answers in the place of the service
		call.Reason = code.Code(planned.nothing.Code()).String()
		return planned.nothing.Err()
	case !mutates && planned != nil:
		return fail(call, planned.failure)
	case !mutates:
		s.read(call.Request, answer)
		return nil
	case planned != nil && planned.failure.outcome() == payorchv1.Outcome_OUTCOME_NOT_SENT:
		return fail(call, planned.failure)
	}
	if refusal := refusal(known, request); refusal != nil {
		return fail(call, refusal)
	}
	if request.GetValidateOnly() && planned == nil {
		validated(request, answer, call)
		return nil
	}
	var lost *failure
	if planned != nil {
		lost = planned.failure
	}
	return s.run(call, request, answer, lost)
}

// run executes an intent, fails it, or answers it from its record.
func (s *script) run(call *Call, request mutating, answer proto.Message, lost *failure) error {
	key := intent{call.RPC, call.RequestID}
	known, ok := s.records[key]
	if !ok {
		known = &record{request: request}
		s.records[key] = known
	}
	known.trackIDs = append(known.trackIDs, call.TrackID)
	if known.settled {
		return replay(known, call, answer)
	}
	if lost == nil || lost.executed {
		s.number++
		known.answer, known.failure, known.settled, call.Executed = answer, nil, true, true
		executed(request, answer, call, s.number)
	} else {
		known.failure, known.settled = lost, lost.settles(call.RPC)
	}
	if lost != nil {
		return fail(call, lost)
	}
	return nil
}

func replay(known *record, call *Call, answer proto.Message) error {
	if known.failure != nil {
		return fail(call, known.failure)
	}
	proto.Merge(answer, known.answer)
	info := infoOf(answer)
	info.Replayed, info.TrackId = payorchv1.Replay_REPLAY_YES, call.TrackID
	return nil
}

func fail(call *Call, failed *failure) error {
	call.Reason, call.failure = failed.reason, failed
	return failed.err(call.RPC, call.TrackID)
}

// refusal returns why a request is refused before it is executed.
func refusal(known *record, request mutating) *failure {
	if broken := brokenRules(request); broken != nil {
		return &failure{reason: "REQUEST_INVALID", violations: broken}
	}
	if known == nil {
		return nil
	}
	var differing []violation
	for _, name := range differences(known.request, request) {
		differing = append(differing, violation{name, "differs from the first request with this request_id"})
	}
	if differing == nil {
		return nil
	}
	return &failure{reason: "INTENT_MISMATCH", violations: differing}
}

// differences returns the names of the fields in which a request differs from the first one.
func differences(first, second proto.Message) []string {
	var names []string
	fields := first.ProtoReflect().Descriptor().Fields()
	for index := range fields.Len() {
		field := fields.Get(index)
		if !proto.Equal(only(field, first), only(field, second)) {
			names = append(names, string(field.Name()))
		}
	}
	return names
}

// only returns a message that has one of another's fields.
func only(field protoreflect.FieldDescriptor, whole proto.Message) proto.Message {
	from, part := whole.ProtoReflect(), whole.ProtoReflect().New()
	if from.Has(field) {
		part.Set(field, from.Get(field))
	}
	return part.Interface()
}

// rpcOf has the RPC of each operation that GetIntent asks about.
var rpcOf = map[payorchv1.Operation]string{
	payorchv1.Operation_OPERATION_CREATE_SESSION:        "CreateSession",
	payorchv1.Operation_OPERATION_DECRYPT_APPLE_PAY:     "DecryptApplePay",
	payorchv1.Operation_OPERATION_CREATE_PAYMENT_METHOD: "CreatePaymentMethod",
}

// mostTrackIDs is how many Track-Ids of an intent GetIntent names.
const mostTrackIDs = 10

// read answers a question, from the records if it is one about an intent.
func (s *script) read(request, answer proto.Message) {
	asked, ok := request.(*payorchv1.GetIntentRequest)
	if !ok {
		return
	}
	found := answer.(*payorchv1.GetIntentResponse)
	rpc := rpcOf[asked.GetOperation()]
	known, ok := s.records[intent{rpc, asked.GetRequestId()}]
	if !ok {
		found.IntentState = payorchv1.IntentState_INTENT_STATE_NOT_FOUND
		return
	}
	trackID := known.trackIDs[len(known.trackIDs)-1]
	found.IntentState = payorchv1.IntentState_INTENT_STATE_SETTLED
	found.TrackIds = known.trackIDs[max(0, len(known.trackIDs)-mostTrackIDs):]
	found.CallOutcome = &payorchv1.CallOutcome{
		Outcome: payorchv1.Outcome_OUTCOME_SUCCEEDED, Advice: payorchv1.Advice_ADVICE_NONE, TrackId: trackID,
	}
	if known.failure != nil {
		found.CallOutcome = known.failure.callOutcome(rpc, trackID)
	}
}

// brokenRules returns what is wrong with a request. The service knows many more rules.
func brokenRules(request mutating) []violation {
	var broken []violation
	outside := func(letter rune) bool { return letter < '!' || letter > '~' }
	id := request.GetRequestId()
	if len(id) < 16 || len(id) > 128 || slices.ContainsFunc([]rune(id), outside) {
		broken = append(broken, violation{"request_id", ruleOfRequest})
	}
	message := request.ProtoReflect()
	groups := message.Descriptor().Oneofs()
	for index := range groups.Len() {
		group := groups.Get(index)
		if !group.IsSynthetic() && message.WhichOneof(group) == nil {
			broken = append(broken, violation{string(group.Name()), "exactly one field is required in oneof"})
		}
	}
	return broken
}

// validated fills in the answer to a request that is only checked.
func validated(request mutating, answer proto.Message, call *Call) {
	inform(request, answer, call)
	would := &payorchv1.UpstreamRequest{Method: "POST", Uri: "https://zuora.invalid/"}
	field := answer.ProtoReflect().Descriptor().Fields().ByName("upstream_request")
	answer.ProtoReflect().Set(field, protoreflect.ValueOfMessage(would.ProtoReflect()))
}

// executed fills in the answer to a request that is executed as the one with this number.
func executed(request mutating, answer proto.Message, call *Call, number int) {
	info := inform(request, answer, call)
	info.Replayed, info.AttemptCount, info.ExecutedTrackId = payorchv1.Replay_REPLAY_NO, 1, call.TrackID
	info.FirstSendTime = timestamppb.Now()
	named := func(kind string) string { return fmt.Sprintf("fake-%s-%d", kind, number) }
	switch answer := answer.(type) {
	case *payorchv1.CreateSessionResponse:
		answer.Session = &payorchv1.Session{Token: named("session")}
	case *payorchv1.DecryptApplePayResponse:
		answer.PaymentMethodId = named("method")
		if request.(*payorchv1.DecryptApplePayRequest).GetPayInvoice() != nil {
			answer.PaymentId = named("payment")
		}
		reportAmount(request.(*payorchv1.DecryptApplePayRequest).GetExpectedAmount(), answer)
	case *payorchv1.CreatePaymentMethodResponse:
		answer.PaymentMethod = &payorchv1.PaymentMethod{Id: named("method")}
		if request.(*payorchv1.CreatePaymentMethodRequest).GetApplePay().GetPayInvoice() != nil {
			answer.PaymentMethod.PaymentId = named("payment")
		}
	}
}

// reportAmount reports the expected amount as the one that was paid, because nothing here reads tokens.
func reportAmount(expected *money.Money, answer *payorchv1.DecryptApplePayResponse) {
	if expected == nil {
		return
	}
	answer.AmountCheck = payorchv1.AmountCheck_AMOUNT_CHECK_NOT_REPORTED
	if answer.GetPaymentId() != "" {
		answer.ReportedAmount = payorch.Decimal(expected)
		answer.AmountCheck = payorchv1.AmountCheck_AMOUNT_CHECK_EQUAL
	}
}

// inform sets the facts about a call in its answer.
func inform(request mutating, answer proto.Message, call *Call) *payorchv1.CallInfo {
	info := infoOf(answer)
	info.TrackId, info.RequestId, info.MatchedRule = call.TrackID, request.GetRequestId(), "fake"
	info.RouteTaken = &payorchv1.RouteTaken{Tenant: "fake"}
	return info
}

// infoOf returns the facts about a call, made if the answer has none.
func infoOf(answer proto.Message) *payorchv1.CallInfo {
	message := answer.ProtoReflect()
	field := message.Descriptor().Fields().ByName("call")
	return message.Mutable(field).Message().Interface().(*payorchv1.CallInfo)
}
