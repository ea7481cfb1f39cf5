"""A payment gateway for payorch's hub, with a provider that is only a table: `python gateway.py ADDRESS LEDGER`."""

import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import grpc
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from payorch.v1 import payment_gateway_service_pb2 as pb
from payorch.v1 import payment_gateway_service_pb2_grpc as pb_grpc

TABLE = "CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, asked TEXT, paid_key TEXT, moved TEXT, outcome BLOB)"
OPERATIONS = [pb.GATEWAY_OPERATION_VALIDATE, pb.GATEWAY_OPERATION_PAYMENT, pb.GATEWAY_OPERATION_REFUND]
KEPT = Duration(seconds=400 * 24 * 3600)  # nothing is ever deleted


class Gateway(pb_grpc.PaymentGatewayServiceServicer):
    """Approves all tokens but `tok_decline`; the answer for `tok_slow` takes three seconds after the charge."""

    def __init__(self, ledger):
        self._lock = threading.Lock()
        self._ledger = sqlite3.connect(ledger, check_same_thread=False)
        self._ledger.execute(TABLE)

    def DescribeGateway(self, request, context):
        names = {"name": "example-python", "version": "1"}
        return pb.DescribeGatewayResponse(**names, operations=OPERATIONS, looks_up=True, idempotent_for=KEPT)

    def ValidatePaymentMethod(self, request, context):
        return pb.ValidatePaymentMethodResponse(outcome=self._once(request, context, "validate", Decimal(0), ""))

    def ProcessPayment(self, request, context):
        amount = Decimal(request.amount.units) + Decimal(request.amount.nanos).scaleb(-9)
        asked, key = f"pay {request.amount.currency_code}", request.call.idempotency_key
        return pb.ProcessPaymentResponse(outcome=self._once(request, context, asked, amount, key))

    def ProcessRefund(self, request, context):
        paid_key, amount = request.payment_idempotency_key, Decimal(request.amount)
        return pb.ProcessRefundResponse(outcome=self._once(request, context, f"refund {paid_key}", -amount, paid_key))

    def LookUp(self, request, context):
        with self._lock:
            known = self._known(request.idempotency_key)
        return pb.LookUpResponse(outcome=pb.GatewayOutcome.FromString(known[1]) if known else None)

    def _once(self, request, context, asked, amount, paid_key):
        """Execute a call under a new key, and otherwise answer as before. The commit comes before the answer."""
        key, token = request.call.idempotency_key, request.call.method.token_data["AmazonToken"].text
        asked = f"{asked} {amount.normalize()}"
        with self._lock, self._ledger:  # one call at a time, in one transaction
            if known := self._known(key):
                if known[0] != asked:
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The key was used for another request.")
                return pb.GatewayOutcome.FromString(known[1])
            # A real provider is called here, with the key. Record the key first, in a transaction of its own.
            if token == "tok_decline" or self._left(paid_key) + amount < 0:
                outcome = pb.GatewayOutcome(
                    result=pb.GATEWAY_RESULT_DECLINED, code="declined", message="It is declined."
                )
                amount = Decimal(0)
            else:
                outcome = pb.GatewayOutcome(result=pb.GATEWAY_RESULT_APPROVED, code="approved")
            outcome.transaction_id = f"T-{key}"
            row = (key, asked, paid_key, str(amount), outcome.SerializeToString())
            self._ledger.execute("INSERT INTO calls VALUES (?, ?, ?, ?, ?)", row)
        time.sleep(3 if token == "tok_slow" else 0)
        return outcome

    def _known(self, key):
        return self._ledger.execute("SELECT asked, outcome FROM calls WHERE key = ?", [key]).fetchone()

    def _left(self, paid_key):
        rows = self._ledger.execute("SELECT moved FROM calls WHERE paid_key = ?", [paid_key])
        return sum((Decimal(moved) for (moved,) in rows), Decimal(0))


if __name__ == "__main__":
    server = grpc.server(ThreadPoolExecutor(max_workers=64))
    pb_grpc.add_PaymentGatewayServiceServicer_to_server(Gateway(sys.argv[2]), server)
    health_servicer = health.HealthServicer()
    health_servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    server.add_insecure_port(sys.argv[1])
    server.start()
    server.wait_for_termination()
