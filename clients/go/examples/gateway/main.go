// Command gateway is a payment gateway for payorch's hub, with a provider that is only a file: gateway ADDRESS LEDGER.
//
// It approves all tokens but tok_decline; the answer for tok_slow takes three seconds after the charge.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"math/big"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	v1 "payorch.internal/client/payorch/v1"
)

// record is one line of the ledger: a key, what was asked under it, and what became of it.
type record struct {
	Key, Asked, PaidKey, Moved string
	Outcome                    []byte
}

type gateway struct {
	v1.UnimplementedPaymentGatewayServiceServer
	mutex   sync.Mutex
	ledger  *os.File
	records map[string]record
}

func (*gateway) DescribeGateway(context.Context, *v1.DescribeGatewayRequest) (*v1.DescribeGatewayResponse, error) {
	return &v1.DescribeGatewayResponse{
		Name: "example-go", Version: "1", LooksUp: true,
		Operations: []v1.GatewayOperation{
			v1.GatewayOperation_GATEWAY_OPERATION_VALIDATE, v1.GatewayOperation_GATEWAY_OPERATION_PAYMENT,
			v1.GatewayOperation_GATEWAY_OPERATION_REFUND,
		},
		IdempotentFor: durationpb.New(400 * 24 * time.Hour), // nothing is ever deleted
	}, nil
}

func (g *gateway) ValidatePaymentMethod(_ context.Context, r *v1.ValidatePaymentMethodRequest) (*v1.ValidatePaymentMethodResponse, error) {
	outcome, err := g.once(r.GetCall(), "validate", "", new(big.Rat))
	return &v1.ValidatePaymentMethodResponse{Outcome: outcome}, err
}

func (g *gateway) ProcessPayment(_ context.Context, r *v1.ProcessPaymentRequest) (*v1.ProcessPaymentResponse, error) {
	amount := new(big.Rat).Add(big.NewRat(r.GetAmount().GetUnits(), 1), big.NewRat(int64(r.GetAmount().GetNanos()), 1e9))
	key := r.GetCall().GetIdempotencyKey()
	outcome, err := g.once(r.GetCall(), "pay "+r.GetAmount().GetCurrencyCode(), key, amount)
	return &v1.ProcessPaymentResponse{Outcome: outcome}, err
}

func (g *gateway) ProcessRefund(_ context.Context, r *v1.ProcessRefundRequest) (*v1.ProcessRefundResponse, error) {
	amount, ok := new(big.Rat).SetString(r.GetAmount())
	if !ok {
		return nil, status.Error(codes.InvalidArgument, "The amount is not a number.")
	}
	outcome, err := g.once(r.GetCall(), "refund "+r.GetPaymentIdempotencyKey(), r.GetPaymentIdempotencyKey(), amount.Neg(amount))
	return &v1.ProcessRefundResponse{Outcome: outcome}, err
}

func (g *gateway) LookUp(_ context.Context, r *v1.LookUpRequest) (*v1.LookUpResponse, error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if known, found := g.records[r.GetIdempotencyKey()]; found {
		outcome := &v1.GatewayOutcome{}
		return &v1.LookUpResponse{Outcome: outcome}, proto.Unmarshal(known.Outcome, outcome)
	}
	return &v1.LookUpResponse{}, nil
}

// once executes a call under a key that is new, and otherwise answers as before.
func (g *gateway) once(call *v1.GatewayCall, asked, paidKey string, amount *big.Rat) (*v1.GatewayOutcome, error) {
	token := call.GetMethod().GetTokenData()["AmazonToken"].GetText()
	known, isNew, err := g.recorded(call.GetIdempotencyKey(), asked+" "+amount.RatString(), paidKey, token, amount)
	if err != nil {
		return nil, err
	}
	if isNew && token == "tok_slow" {
		time.Sleep(3 * time.Second)
	}
	outcome := &v1.GatewayOutcome{}
	return outcome, proto.Unmarshal(known.Outcome, outcome)
}

// recorded returns the record of a key; one that is new is on the disk before it returns.
func (g *gateway) recorded(key, asked, paidKey, token string, amount *big.Rat) (record, bool, error) {
	g.mutex.Lock() // one call at a time
	defer g.mutex.Unlock()
	if known, found := g.records[key]; found {
		if known.Asked != asked {
			return known, false, status.Error(codes.InvalidArgument, "The key was used for another request.")
		}
		return known, false, nil
	}
	// A real provider is called here, with the key. Record the key first, as begun.
	outcome := &v1.GatewayOutcome{Result: v1.GatewayResult_GATEWAY_RESULT_APPROVED, Code: "approved", TransactionId: "T-" + key}
	if token == "tok_decline" || new(big.Rat).Add(g.left(paidKey), amount).Sign() < 0 {
		outcome.Result, outcome.Code = v1.GatewayResult_GATEWAY_RESULT_DECLINED, "declined"
		outcome.Message, amount = "The provider declined it.", new(big.Rat)
	}
	encoded, err := proto.Marshal(outcome)
	if err != nil {
		return record{}, false, err
	}
	made := record{key, asked, paidKey, amount.RatString(), encoded}
	line, _ := json.Marshal(made)
	// The line end comes first: it also ends a line that a crash cut off.
	if _, err := g.ledger.Write(append([]byte{'\n'}, line...)); err != nil {
		return made, false, err
	}
	if err := g.ledger.Sync(); err != nil {
		return made, false, err
	}
	g.records[key] = made
	return made, true, nil
}

// left returns how much of a payment is not refunded.
func (g *gateway) left(paidKey string) *big.Rat {
	sum := new(big.Rat)
	for _, known := range g.records {
		if moved, ok := new(big.Rat).SetString(known.Moved); ok && known.PaidKey == paidKey {
			sum.Add(sum, moved)
		}
	}
	return sum
}

func main() {
	ledger, err := os.OpenFile(os.Args[2], os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	g := &gateway{ledger: ledger, records: map[string]record{}}
	for lines := bufio.NewScanner(ledger); lines.Scan(); {
		var known record
		if json.Unmarshal(lines.Bytes(), &known) == nil { // a last line that was cut off was never answered
			g.records[known.Key] = known
		}
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	v1.RegisterPaymentGatewayServiceServer(server, g)
	healthv1.RegisterHealthServer(server, health.NewServer())
	log.Fatal(server.Serve(listener))
}
