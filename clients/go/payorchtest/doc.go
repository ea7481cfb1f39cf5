// Package payorchtest has a double of the service for the tests of its callers: in this process, without Zuora.
//
// A [Fake] answers as the service does: it is idempotent by request id, fails with every reason of the catalogue, and
// records calls.
//
//	func TestPaymentIsMadeOnce(t *testing.T) {
//		fake := payorchtest.New(t)
//		fake.FailWith("UPSTREAM_NO_ANSWER", payorchtest.Executed()) // the answer is lost
//		pay(t.Context(), fake.Client())
//		if len(fake.Executed()) != 1 {
//			t.Errorf("%v", fake.Calls())
//		}
//	}
package payorchtest
