// What a Go engineer would write in a day: grpc-go in front of net/http, spans of both to a collector over OTLP.
// It has neither intents, fingerprints, rights, audit, routing, retries, limits, checks of fields nor log lines.
// Arguments: the upstream's URL, the collector's URL, and a JSON object of names; the port goes to standard output.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	payorch "payorch.internal/client/payorch/v1"
)

const (
	connections = 1024
	timeout     = 30 * time.Second
)

type names struct {
	EntityID     string `json:"entity_id"`
	GatewayID    string `json:"gateway_id"`
	GatewayLabel string `json:"gateway_label"`
}

type server struct {
	payorch.UnimplementedPaymentOrchestrationServiceServer
	http     *http.Client
	upstream string
	token    string
	names    names
}

type invoice struct {
	Number string `json:"invoiceNumber"`
}

type sessionBody struct {
	Currency  string    `json:"currency"`
	Amount    float64   `json:"amount"`
	Process   bool      `json:"processPayment"`
	Store     bool      `json:"storePaymentMethod"`
	AccountID string    `json:"accountId"`
	Gateway   string    `json:"paymentGateway"`
	Invoices  []invoice `json:"invoices"`
}

type appleToken struct {
	PaymentData json.RawMessage `json:"paymentData"`
}

type decryptionBody struct {
	IntegrationType string          `json:"integrationType"`
	MerchantID      string          `json:"merchantID"`
	Token           json.RawMessage `json:"paymentToken"`
	Process         bool            `json:"processPayment"`
	AccountID       string          `json:"accountID"`
	Invoice         string          `json:"invoiceId"`
	Gateway         string          `json:"paymentGateway"`
}

type mandate struct {
	ID string `json:"id"`
}

type sepaDebit struct {
	IBAN    string  `json:"IBAN"`
	Mandate mandate `json:"mandate"`
}

type methodBody struct {
	Type      string    `json:"type"`
	AccountID string    `json:"account_id"`
	Gateway   string    `json:"gateway_id"`
	SepaDebit sepaDebit `json:"sepa_debit"`
}

func main() {
	upstream, collector := os.Args[1], os.Args[2]
	served := &server{upstream: upstream}
	check(json.Unmarshal([]byte(os.Args[3]), &served.names))
	traceTo(collector)
	pool := http.DefaultTransport.(*http.Transport).Clone()
	pool.MaxIdleConns, pool.MaxIdleConnsPerHost, pool.MaxConnsPerHost = connections, connections, connections
	served.http = &http.Client{Transport: otelhttp.NewTransport(pool), Timeout: timeout}
	var granted struct {
		Token string `json:"access_token"`
	}
	_, err := served.send(context.Background(), "/oauth/token", "", nil, &granted)
	check(err)
	served.token = granted.Token

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	listening := grpc.NewServer(grpc.StatsHandler(otelgrpc.NewServerHandler()))
	payorch.RegisterPaymentOrchestrationServiceServer(listening, served)
	go func() { check(listening.Serve(listener)) }()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func traceTo(collector string) {
	exporter, err := otlptracegrpc.New(context.Background(), otlptracegrpc.WithEndpointURL(collector))
	check(err)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetTracerProvider(sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), sdktrace.WithResource(resource.Default())))
}

// send posts a JSON body, reads the answer into a value, and returns the facts about the call.
func (s *server) send(ctx context.Context, path, requestID string, body, answer any) (*payorch.CallInfo, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.upstream+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	track := trackID(ctx)
	request.Header.Set("accept", "application/json")
	request.Header.Set("authorization", "Bearer "+s.token)
	request.Header.Set("content-type", "application/json")
	request.Header.Set("idempotency-key", requestID)
	request.Header.Set("zuora-entity-ids", s.names.EntityID)
	request.Header.Set("zuora-track-id", track)
	response, err := s.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	call := &payorch.CallInfo{TrackId: track, ZuoraRequestId: response.Header.Get("zuora-request-id")}
	return call, json.Unmarshal(content, answer)
}

func (s *server) CreateSession(
	ctx context.Context, request *payorch.CreateSessionRequest,
) (*payorch.CreateSessionResponse, error) {
	flow := request.GetPayAndStore()
	body := sessionBody{
		Currency: flow.GetAmount().GetCurrencyCode(), Amount: decimal(flow.GetAmount()), Process: true, Store: true,
		AccountID: flow.GetAccountId(), Gateway: s.names.GatewayID,
	}
	for _, paid := range flow.GetInvoices() {
		body.Invoices = append(body.Invoices, invoice{paid.GetInvoiceNumber()})
	}
	var answer struct {
		Token string `json:"token"`
	}
	call, err := s.send(ctx, "/web-payments/sessions", request.GetRequestId(), body, &answer)
	if err != nil {
		return nil, err
	}
	return &payorch.CreateSessionResponse{Session: &payorch.Session{Token: answer.Token}, Call: call}, nil
}

func (s *server) DecryptApplePay(
	ctx context.Context, request *payorch.DecryptApplePayRequest,
) (*payorch.DecryptApplePayResponse, error) {
	var token appleToken
	if err := json.Unmarshal(request.GetTokenJson(), &token); err != nil {
		return nil, err
	}
	body := decryptionBody{
		IntegrationType: "ApplePay", MerchantID: request.GetMerchantId(), Token: token.PaymentData, Process: true,
		AccountID: request.GetAccountId(), Invoice: request.GetPayInvoice().GetInvoice(), Gateway: s.names.GatewayLabel,
	}
	var answer struct {
		MethodID  string `json:"paymentMethodId"`
		PaymentID string `json:"paymentId"`
		Amount    string `json:"amount"`
	}
	call, err := s.send(ctx, "/v1/payment-methods/decryption", request.GetRequestId(), body, &answer)
	if err != nil {
		return nil, err
	}
	return &payorch.DecryptApplePayResponse{
		PaymentMethodId: answer.MethodID, PaymentId: answer.PaymentID, ReportedAmount: answer.Amount, Call: call,
	}, nil
}

func (s *server) CreatePaymentMethod(
	ctx context.Context, request *payorch.CreatePaymentMethodRequest,
) (*payorch.CreatePaymentMethodResponse, error) {
	debit := request.GetSepaDebit()
	body := methodBody{
		Type: "sepa_debit", AccountID: request.GetAccountById().GetId(), Gateway: s.names.GatewayID,
		SepaDebit: sepaDebit{IBAN: debit.GetIban(), Mandate: mandate{debit.GetMandate().GetId()}},
	}
	var answer struct {
		ID        string `json:"id"`
		Type      string `json:"type"`
		State     string `json:"state"`
		AccountID string `json:"account_id"`
	}
	call, err := s.send(ctx, "/v2/payment_methods", request.GetRequestId(), body, &answer)
	if err != nil {
		return nil, err
	}
	method := &payorch.PaymentMethod{
		Id: answer.ID, Type: answer.Type, State: answer.State, AccountId: answer.AccountID,
	}
	return &payorch.CreatePaymentMethodResponse{PaymentMethod: method, Call: call}, nil
}

// trackID returns the caller's name for the call.
func trackID(ctx context.Context) string {
	if values := metadata.ValueFromIncomingContext(ctx, "zuora-track-id"); len(values) > 0 {
		return values[0]
	}
	return ""
}

func decimal(amount *money.Money) float64 {
	return float64(amount.GetUnits()) + float64(amount.GetNanos())/1e9
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
