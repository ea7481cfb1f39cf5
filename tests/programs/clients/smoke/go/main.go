// Makes one call of each RPC with the Go client and prints what it reads in the answers.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	payorch "payorch.internal/client"
	payorchv1 "payorch.internal/client/payorch/v1"
)

const (
	account   = "2c92c0f8000000000000000000000001"
	timeout   = 30 * time.Second
	arguments = 2
)

type caller struct {
	stub  payorchv1.PaymentOrchestrationServiceClient
	token []byte
}

// step is what is printed of a call.
type step map[string]any

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != arguments {
		return errors.New("usage: smoke TARGET TOKEN_FILE")
	}
	token, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	plaintext := grpc.WithTransportCredentials(insecure.NewCredentials())
	connection, err := grpc.NewClient(args[0], append(payorch.Options(), plaintext)...)
	if err != nil {
		return err
	}
	defer connection.Close()
	return steps(caller{stub: payorchv1.NewPaymentOrchestrationServiceClient(connection), token: token})
}

func steps(caller caller) error {
	id := payorch.NewRequestID()
	for _, call := range []func() (step, error){
		func() (step, error) { return caller.session(id) },
		caller.applePay,
		caller.method,
		func() (step, error) { return caller.intent(id) },
		caller.error,
		ready,
		caller.retry,
	} {
		printed, err := call()
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(printed); err != nil {
			return err
		}
		if printed["step"] == "ready" {
			if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
				return fmt.Errorf("standard input ended before its line: %w", err)
			}
		}
	}
	return nil
}

func ready() (step, error) { return step{"step": "ready"}, nil }

func (c caller) session(id string) (step, error) {
	answer, err := c.create(id, account, "smoke-go-session")
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return step{
		"step":         "session",
		"track_id":     answer.GetCall().GetTrackId(),
		"replayed":     answer.GetCall().GetReplayed().String(),
		"token_length": len(answer.GetSession().GetToken()),
	}, nil
}

func (c caller) applePay() (step, error) {
	ctx, cancel := tracked("smoke-go-apple-pay")
	defer cancel()
	answer, err := c.stub.DecryptApplePay(ctx, &payorchv1.DecryptApplePayRequest{
		RequestId:  payorch.NewRequestID(),
		TokenJson:  c.token,
		MerchantId: "merchant.example.payorch",
		AccountId:  account,
		StoredCredential: &payorchv1.DecryptApplePayRequest_ZuoraDefault{
			ZuoraDefault: &payorchv1.StoredCredentialZuoraDefault{},
		},
		Charge: &payorchv1.DecryptApplePayRequest_PayInvoice{
			PayInvoice: &payorchv1.PayInvoice{Invoice: "INV00000001"},
		},
		ExpectedAmount: &money.Money{CurrencyCode: "USD", Units: 12, Nanos: 340_000_000},
	})
	if err != nil {
		return nil, fmt.Errorf("apple_pay: %w", err)
	}
	return step{
		"step":              "apple_pay",
		"track_id":          answer.GetCall().GetTrackId(),
		"payment_method_id": answer.GetPaymentMethodId(),
		"payment_id":        answer.GetPaymentId(),
	}, nil
}

func (c caller) method() (step, error) {
	ctx, cancel := tracked("smoke-go-method")
	defer cancel()
	answer, err := c.stub.CreatePaymentMethod(ctx, &payorchv1.CreatePaymentMethodRequest{
		RequestId: payorch.NewRequestID(),
		Account: &payorchv1.CreatePaymentMethodRequest_AccountByNumber{
			AccountByNumber: &payorchv1.AccountByNumber{Number: "A00000001"},
		},
		Method: &payorchv1.CreatePaymentMethodRequest_SepaDebit{SepaDebit: &payorchv1.SepaDebit{
			Iban:    "DE89370400440532013000",
			Mandate: &payorchv1.Mandate{Id: "mandate-1"},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("method: %w", err)
	}
	return step{
		"step":              "method",
		"track_id":          answer.GetCall().GetTrackId(),
		"payment_method_id": answer.GetPaymentMethod().GetId(),
	}, nil
}

func (c caller) intent(id string) (step, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	answer, err := c.stub.GetIntent(ctx, &payorchv1.GetIntentRequest{
		RequestId: id,
		Operation: payorchv1.Operation_OPERATION_CREATE_SESSION,
	})
	if err != nil {
		return nil, fmt.Errorf("intent: %w", err)
	}
	return step{"step": "intent", "state": answer.GetIntentState().String()}, nil
}

func (c caller) error() (step, error) {
	_, err := c.create(payorch.NewRequestID(), "unknown", "smoke-go-error")
	if err == nil {
		return nil, errors.New("error: a session was created for an account that does not exist")
	}
	told := payorch.ErrorFrom(err)
	return step{
		"step":        "error",
		"code":        uint32(told.Code),
		"reason":      told.Reason,
		"outcome":     told.Outcome.String(),
		"advice":      told.Advice.String(),
		"track_id":    told.TrackID,
		"zuora_codes": told.ZuoraCodes,
	}, nil
}

func (c caller) retry() (step, error) {
	answer, err := c.create(payorch.NewRequestID(), account, "smoke-go-retry")
	if err != nil {
		return nil, fmt.Errorf("retry: %w", err)
	}
	return step{
		"step":         "retry",
		"track_id":     answer.GetCall().GetTrackId(),
		"token_length": len(answer.GetSession().GetToken()),
	}, nil
}

func (c caller) create(id, account, trackID string) (*payorchv1.CreateSessionResponse, error) {
	ctx, cancel := tracked(trackID)
	defer cancel()
	return c.stub.CreateSession(ctx, &payorchv1.CreateSessionRequest{
		RequestId: id,
		Flow: &payorchv1.CreateSessionRequest_OneTimePayment{OneTimePayment: &payorchv1.OneTimePayment{
			AccountId: account,
			Amount:    &money.Money{CurrencyCode: "USD", Units: 100, Nanos: 100_000_000},
		}},
	})
}

// tracked returns a context with a deadline and the Track-Id of a call.
func tracked(trackID string) (context.Context, context.CancelFunc) {
	ctx := metadata.AppendToOutgoingContext(context.Background(), "zuora-track-id", trackID)
	return context.WithTimeout(ctx, timeout)
}
