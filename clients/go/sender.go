package payorch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	payorchv1 "payorch.internal/client/payorch/v1"
)

// sender sends the calls of a client, again where the service advises it.
type sender struct {
	connection *grpc.ClientConn
	endpoint   endpoint
	token      TokenSource
	// tokenInPlaintext: the token does not leave this machine.
	tokenInPlaintext bool
	policy           *Resend
	budget           budget
	timing           timing
	errorsURL        string
	logger           *slog.Logger
}

// outgoing is a call on its way.
type outgoing struct {
	*sender
	rpc       string
	requestID string
	loop      resendLoop
}

// stub is a method of a generated client.
type stub[Request, Answer proto.Message] func(context.Context, Request, ...grpc.CallOption) (Answer, error)

// send sends a copy of a request until it succeeds or must not be sent again.
func send[Request, Answer proto.Message](
	ctx context.Context, s *sender, rpc string, method stub[Request, Answer], request Request, options []grpc.CallOption,
) (answer Answer, err error) {
	if !request.ProtoReflect().IsValid() {
		return answer, argument("request: it is nil")
	}
	request = proto.CloneOf(request)
	requestID, err := named(request)
	if err != nil {
		return answer, err
	}
	ctx, cancel, err := s.begun(ctx)
	if err != nil {
		return answer, err
	}
	defer cancel()
	call := s.outgoing(ctx, rpc, requestID)
	token, err := call.fetch(ctx, false)
	for err == nil {
		var failed *attempt
		if answer, failed = once(ctx, s, method, request, s.with(token, options)); failed == nil {
			s.budget.succeeded()
			name(answer, requestID)
			return answer, nil
		}
		token, err = call.beforeNext(ctx, *failed, token)
	}
	return answer, err
}

// once makes an attempt.
func once[Request, Answer proto.Message](
	ctx context.Context, s *sender, method stub[Request, Answer], request Request, options []grpc.CallOption,
) (answer Answer, failed *attempt) {
	if failed = s.endpoint.connected(ctx, s.connection); failed != nil {
		return answer, failed
	}
	answer, err := method(ctx, request, options...)
	if err != nil {
		return answer, &attempt{CallError: ErrorFrom(err), causes: append([]error{err}, causesOf(ctx)...)}
	}
	return answer, nil
}

// begun returns the context of all attempts of a call: with a deadline, and with the metadata that they carry.
func (s *sender) begun(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		failed := argument("deadline: it had passed before the call")
		failed.causes = causesOf(ctx)
		return nil, nil, failed
	}
	ctx, err := carrying(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}, nil
	}
	lasts := defaultDeadline
	if s.policy != nil {
		lasts = s.policy.Within
	}
	ctx, cancel := context.WithTimeout(ctx, lasts)
	return ctx, cancel, nil
}

func (s *sender) outgoing(ctx context.Context, rpc, requestID string) *outgoing {
	deadline, _ := ctx.Deadline()
	return &outgoing{s, rpc, requestID, resendLoop{
		policy: s.policy, budget: &s.budget, timing: s.timing, deadline: deadline, canRefresh: s.token != nil,
	}}
}

// with returns the options of an attempt: those of the caller and the token.
func (s *sender) with(token string, options []grpc.CallOption) []grpc.CallOption {
	if s.token == nil {
		return options
	}
	return append(slices.Clip(options), grpc.PerRPCCredentials(bearer{token, s.tokenInPlaintext}))
}

// beforeNext waits as long as the next attempt has to, and returns its token; or the error of the call, if there is no
// next attempt.
func (o *outgoing) beforeNext(ctx context.Context, failed attempt, token string) (string, error) {
	following, wait := o.loop.after(failed)
	switch following {
	case waitAndSend:
		o.log(ctx, failed, wait)
		if err := o.timing.pause(ctx, wait); err != nil {
			return "", o.failed(causesOf(ctx)...)
		}
		return o.fetch(ctx, false)
	case refreshTokenAndSend:
		fresh, err := o.fetch(ctx, true)
		if err == nil && fresh == token {
			return "", o.failed()
		}
		return fresh, err
	case end:
	}
	return "", o.failed()
}

func (o *outgoing) log(ctx context.Context, failed attempt, wait time.Duration) {
	o.logger.InfoContext(ctx, "payorch: a call is sent again",
		"rpc", o.rpc, "attempt", len(o.loop.attempts), "reason", failed.name(), "wait", wait,
		"request_id", o.requestID, "track_id", failed.TrackID)
}

// fetch returns the token. A failure to get one does not hide that an earlier attempt is in doubt.
func (o *outgoing) fetch(ctx context.Context, refresh bool) (string, error) {
	if o.token == nil {
		return "", nil
	}
	token, err := o.token(ctx, refresh)
	if err == nil {
		err = checkToken(token)
	}
	switch {
	case err == nil:
		return token, nil
	case o.loop.doubt != nil:
		return "", o.failed(err)
	case errors.Is(err, ErrArgument):
		return "", err
	}
	return "", o.withoutToken(err)
}

// withoutToken returns the error of a call whose supplier of tokens failed.
func (o *outgoing) withoutToken(cause error) error {
	return &Error{
		CallError: CallError{
			Code:    codes.Unauthenticated,
			Message: "there is no token: " + cause.Error(),
			Outcome: payorchv1.Outcome_OUTCOME_NOT_SENT,
			Advice:  payorchv1.Advice_ADVICE_RESEND_SAME_REQUEST_ID,
		},
		RequestID: o.requestID,
		Attempts:  o.attempts(),
		errorsURL: o.errorsURL,
		causes:    []error{cause},
	}
}

// failed returns the error for how the attempts ended, with what else led to it.
func (o *outgoing) failed(causes ...error) error {
	raised := o.loop.raised()
	failed := &Error{
		CallError: raised.CallError,
		RequestID: o.requestID,
		Attempts:  o.attempts(),
		errorsURL: o.errorsURL,
		causes:    append(slices.Clip(raised.causes), causes...),
	}
	if raised == o.loop.doubt { // the newest attempt is another one
		failed.last = &failed.Attempts[len(failed.Attempts)-1]
	}
	return failed
}

func (o *outgoing) attempts() []CallError {
	var attempts []CallError
	for _, failed := range o.loop.attempts {
		attempts = append(attempts, failed.CallError)
	}
	return attempts
}

// name sets the request id in an answer where an older service does not.
func name(answer proto.Message, requestID string) {
	if answer, ok := answer.(interface{ GetCall() *payorchv1.CallInfo }); ok && answer.GetCall() != nil {
		if call := answer.GetCall(); call.GetRequestId() == "" {
			call.RequestId = requestID
		}
	}
}
