// Everything of payorch.v1. Generated.
export * from "./payorch/v1/apple_pay_pb.js";
export * from "./payorch/v1/bank_debit_pb.js";
export * from "./payorch/v1/call_pb.js";
export * from "./payorch/v1/diagnostics_service_pb.js";
export * from "./payorch/v1/error_reason_pb.js";
export * from "./payorch/v1/payment_gateway_service_pb.js";
export * from "./payorch/v1/payment_method_pb.js";
export * from "./payorch/v1/payment_method_result_pb.js";
export * from "./payorch/v1/payment_orchestration_service_pb.js";
export * from "./payorch/v1/routing_pb.js";
export * from "./payorch/v1/sensitivity_pb.js";
export * from "./payorch/v1/session_pb.js";
