/**
 * Pays an invoice with an Apple Pay token: `node pay-invoice.mts TARGET REQUEST_ID INVOICE TOKEN_FILE`.
 *
 * REQUEST_ID comes from the order, where it was stored before the first send. Run it again with the same id as often as
 * you like: the invoice is paid once.
 */
import { readFileSync } from "node:fs";
import { applePayToken, connect, NotSentError, OutcomeUnknownError, PartialError, PayorchError } from "@payorch/client";

const [target = "", requestId = "", invoice = "", tokenFile = ""] = process.argv.slice(2);

/** Returns what the payer reads. The text of the error is for the ticket. */
function shownFor(error: PayorchError): string {
  if (error instanceof OutcomeUnknownError) {
    return "We do not know yet whether you have paid. Please do not pay again.";
  }
  if (error instanceof PartialError) {
    return "Your card is stored, but it was not charged.";
  }
  return error instanceof NotSentError ? "You have not paid. Please try again later." : "Your payment was declined.";
}

const client = connect(target, { plaintext: true });
try {
  const { paymentId } = await client.decryptApplePay({
    requestId,
    tokenJson: applePayToken(readFileSync(tokenFile)),
    storedCredential: { case: "zuoraDefault", value: {} },
    charge: { case: "payInvoice", value: { invoice } },
  });
  console.log(`You have paid: ${paymentId}`);
} catch (error) {
  if (!(error instanceof PayorchError)) throw error;
  console.log(shownFor(error));
  console.error(error.message);
  process.exitCode = 1;
} finally {
  client.close();
}
