// Package payorch calls the payorch payment orchestration service. [New] returns a client; the messages are in
// [payorch.internal/client/payorch/v1], and [payorch.internal/client/payorchtest] has a double of the service for the
// tests of callers.
//
// Every request that changes something carries a request id. Sending the same request with the same request id again is
// always safe; a new one means a new intent. Every error of a call is an [*Error], which says what happened at Zuora:
//
//	answer, err := client.DecryptApplePay(ctx, request)
//	switch {
//	case err == nil:
//	case errors.Is(err, payorch.ErrOutcomeUnknown): // it may have been done: send the same request again, later
//	case errors.Is(err, payorch.ErrPartial): // a part was done
//	case errors.Is(err, payorch.ErrRefused): // Zuora did nothing
//	case errors.Is(err, payorch.ErrNotSent): // nothing of this call reached Zuora
//	}
package payorch

// Version is the version of this module, which its user agent names.
const Version = "0.1.0"
