package payorchtest

import (
	"context"

	payorchv1 "payorch.internal/client/payorch/v1"
)

// payments and diagnostics return empty answers, which an interceptor fills in: what is answered does not depend on the
// RPC alone.
type (
	payments struct {
		payorchv1.UnimplementedPaymentOrchestrationServiceServer
	}
	diagnostics struct {
		payorchv1.UnimplementedDiagnosticsServiceServer
	}
)

func (payments) CreateSession(context.Context, *payorchv1.CreateSessionRequest) (*payorchv1.CreateSessionResponse, error) {
	return new(payorchv1.CreateSessionResponse), nil
}

func (payments) DecryptApplePay(context.Context, *payorchv1.DecryptApplePayRequest) (*payorchv1.DecryptApplePayResponse, error) {
	return new(payorchv1.DecryptApplePayResponse), nil
}

func (payments) CreatePaymentMethod(context.Context, *payorchv1.CreatePaymentMethodRequest) (*payorchv1.CreatePaymentMethodResponse, error) {
	return new(payorchv1.CreatePaymentMethodResponse), nil
}

func (payments) GetIntent(context.Context, *payorchv1.GetIntentRequest) (*payorchv1.GetIntentResponse, error) {
	return new(payorchv1.GetIntentResponse), nil
}

func (diagnostics) ExplainRoute(context.Context, *payorchv1.ExplainRouteRequest) (*payorchv1.ExplainRouteResponse, error) {
	return new(payorchv1.ExplainRouteResponse), nil
}

func (diagnostics) GetCall(context.Context, *payorchv1.GetCallRequest) (*payorchv1.GetCallResponse, error) {
	return new(payorchv1.GetCallResponse), nil
}

func (diagnostics) GetQuota(context.Context, *payorchv1.GetQuotaRequest) (*payorchv1.GetQuotaResponse, error) {
	return new(payorchv1.GetQuotaResponse), nil
}
