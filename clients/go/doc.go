// Package payorch helps to call the payorch payment orchestration service. The messages and stubs are in
// [payorch.internal/client/payorch/v1]; this package has the published gRPC service config and reads what an error
// carries.
//
// Every mutating call carries a request id. Sending the same request with the same request id again is always safe; a
// new one means a new intent.
package payorch
