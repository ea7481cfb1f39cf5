//! A test as a caller writes it; it stands in the README as well.

use payorch::testing::{Failure, FakePayorch};
use payorch::v1::{DecryptApplePayRequest, ErrorReason, PayInvoice, decrypt_apple_pay_request::Charge};

#[tokio::test]
async fn a_refused_payment_names_the_field() {
    let payorch = FakePayorch::start();
    let invalid = Failure::of(ErrorReason::RequestInvalid).violation("pay_invoice.invoice", "must not be empty");
    payorch.fail_with(invalid);
    let (request_id, charge) = ("order-4711-attempt-1".into(), Some(Charge::PayInvoice(PayInvoice::default())));
    let request = DecryptApplePayRequest { request_id, charge, ..Default::default() };
    let refused = payorch.client().decrypt_apple_pay(&request).await.unwrap_err();
    assert_eq!("pay_invoice.invoice", refused.violations()[0].field);
    assert!(payorch.executed().is_empty());
}
