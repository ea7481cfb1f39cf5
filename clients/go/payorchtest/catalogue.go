package payorchtest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	payorchv1 "payorch.internal/client/payorch/v1"
)

const (
	example       = "example"
	ruleOfRequest = "must be 16 to 128 characters from 0x21 to 0x7E"
)

// reasons is generated from the service's own tables.
//
//go:embed reasons.json
var reasons []byte

// entry is what is known of a reason.
type entry struct {
	Code        string            `json:"code"`
	Message     string            `json:"message"`
	Outcome     string            `json:"outcome"`
	Advice      string            `json:"advice"`
	AdviceByRPC map[string]string `json:"adviceByRpc"`
	RetryDelayS *float64          `json:"retryDelaySeconds"`
	Metadata    []string          `json:"metadata"`
	NamesFields bool              `json:"namesFields"`
}

var catalogue = sync.OnceValue(func() map[string]entry {
	var entries map[string]entry
	if err := json.Unmarshal(reasons, &entries); err != nil {
		panic(fmt.Sprintf("reasons.json: %v", err))
	}
	return entries
})

// Reasons returns the names of all reasons that [Fake.FailWith] takes.
func Reasons() []string { return slices.Sorted(maps.Keys(catalogue())) }

// failure is an error of the service.
type failure struct {
	reason     string
	violations []violation
	metadata   map[string]string
	retryAfter *time.Duration
	codes      []string
	existing   *payorchv1.ExistingIds
	executed   bool
}

type violation struct{ field, description string }

// check returns what the service never answers.
func (f *failure) check() error {
	if _, ok := catalogue()[f.reason]; !ok {
		return fmt.Errorf("reason: %q is none%s", f.reason, meant(f.reason))
	}
	if f.executed && f.outcome() != payorchv1.Outcome_OUTCOME_UNKNOWN {
		return fmt.Errorf("executed: %s says that the request was not executed", f.reason)
	}
	return nil
}

// meant suggests the names that share most words with a wrong one.
func meant(wrong string) string {
	words := strings.Split(strings.ToUpper(wrong), "_")
	shared := func(name string) int {
		count := 0
		for _, word := range strings.Split(name, "_") {
			if slices.ContainsFunc(words, func(given string) bool { return given != "" && alike(given, word) }) {
				count++
			}
		}
		return count
	}
	near := slices.DeleteFunc(Reasons(), func(name string) bool { return shared(name) == 0 })
	slices.SortStableFunc(near, func(a, b string) int { return shared(b) - shared(a) })
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near[:min(3, len(near))], ", ") + "?"
}

// alike returns whether one word begins with the other: DECLINE is like DECLINED.
func alike(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

func (f *failure) code() codes.Code { return codes.Code(code.Code_value[catalogue()[f.reason].Code]) }

func (f *failure) outcome() payorchv1.Outcome {
	return payorchv1.Outcome(payorchv1.Outcome_value["OUTCOME_"+catalogue()[f.reason].Outcome])
}

func (f *failure) advice(rpc string) payorchv1.Advice {
	word := catalogue()[f.reason].Advice
	if own, ok := catalogue()[f.reason].AdviceByRPC[rpc]; ok {
		word = own
	}
	return payorchv1.Advice(payorchv1.Advice_value["ADVICE_"+word])
}

// settles returns whether a resend gets the same answer again.
func (f *failure) settles(rpc string) bool {
	resend := f.advice(rpc) == payorchv1.Advice_ADVICE_RESEND_SAME_REQUEST_ID
	return f.outcome() != payorchv1.Outcome_OUTCOME_NOT_SENT && !resend
}

func (f *failure) callOutcome(rpc, trackID string) *payorchv1.CallOutcome {
	return &payorchv1.CallOutcome{
		Outcome: f.outcome(), Advice: f.advice(rpc), TrackId: trackID, ZuoraCodes: f.codes, Existing: f.existing,
	}
}

// err returns the error with its details.
func (f *failure) err(rpc, trackID string) error {
	known := catalogue()[f.reason]
	metadata := map[string]string{}
	for _, key := range known.Metadata {
		metadata[key] = example
	}
	maps.Copy(metadata, f.metadata)
	details := []protoadapt.MessageV1{
		&errdetails.ErrorInfo{Reason: f.reason, Domain: "payorch", Metadata: metadata}, f.callOutcome(rpc, trackID),
	}
	if delay := f.delay(known); delay != nil {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(*delay)})
	}
	violations := f.violations
	if violations == nil && known.NamesFields {
		violations = []violation{{"request_id", ruleOfRequest}}
	}
	if violations != nil {
		bad := &errdetails.BadRequest{}
		for _, broken := range violations {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
				Field: broken.field, Reason: example, Description: broken.description,
			})
		}
		details = append(details, bad)
	}
	detailed, err := status.New(f.code(), known.Message).WithDetails(details...)
	if err != nil {
		panic(err) // all details are messages
	}
	return detailed.Err()
}

// delay returns what RetryInfo says, if there is one.
func (f *failure) delay(known entry) *time.Duration {
	if f.retryAfter != nil || known.RetryDelayS == nil {
		return f.retryAfter
	}
	delay := time.Duration(*known.RetryDelayS * float64(time.Second))
	return &delay
}
