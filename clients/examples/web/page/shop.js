// The page's half of a payment. It knows no request id, and what it says of amounts decides nothing.

const WAIT_MS = 2000;
const MOST_CHECKS = 150; // five minutes
const NETWORKS = ["amex", "discover", "masterCard", "visa"];

const byId = (id) => document.getElementById(id);
const address = `/orders/${encodeURIComponent(new URLSearchParams(location.search).get("order") ?? "")}`;

// Safari has ApplePaySession. The demo's back end serves a stand-in of the same shape; no other back end does.
const real = window.ApplePaySession?.canMakePayments() ? window.ApplePaySession : undefined;
const Session = real ?? (await import("/stand-in.js").then((module) => module.StandInSession, () => undefined));

async function call(path, body) {
  const init = body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(path, init);
  if (!response.ok) {
    throw new Error(`${path} was answered with status ${response.status}`);
  }
  return response.json();
}

// One of the two things that are done for an order at most once.
class Part {
  constructor(name, path, startButtons) {
    this.name = name;
    this.path = `${address}/${path}`;
    this.startButtons = startButtons;
    this.checks = 0;
    byId(`${name}-retry`).addEventListener("click", () => this.send({}));
  }

  show(state) {
    this.state = state;
    byId(this.name).dataset.stage = state.stage;
    byId(`${this.name}-text`).textContent = state.text;
    byId(`${this.name}-retry`).hidden = state.action !== "retry";
    for (const button of this.startButtons) {
      button.hidden = state.action !== "start";
    }
    const reference = byId(`${this.name}-reference`);
    reference.hidden = !state.track_id;
    reference.textContent = state.track_id && `Reference for our support: ${state.track_id}`;
    if (state.action === "wait") {
      this.checkLater();
    }
  }

  // Without a token the back end sends what it has sent before, or looks it up: a check, never a new payment.
  checkLater() {
    if (this.checks < MOST_CHECKS) {
      this.checks += 1;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.send({}), WAIT_MS);
    }
  }

  busy(text) {
    byId(this.name).dataset.stage = "busy";
    byId(`${this.name}-text`).textContent = text;
    for (const button of [...this.startButtons, byId(`${this.name}-retry`)]) {
      button.hidden = true;
    }
  }

  async send(body) {
    if (this.state.action !== "wait") {
      this.busy("One moment ...");
    }
    try {
      this.show(await call(this.path, body));
    } catch (error) {
      // The answer is lost, not what it would have said: the back end knows, so the page asks it again.
      console.warn(error);
      const text = "We cannot reach our server. Please do not pay again: this page keeps asking.";
      this.show({ stage: "in_doubt", text, action: "wait", track_id: this.state.track_id });
    }
    return this.state;
  }
}

const payButton = byId(real ? "apple-pay" : "stand-in");
const payment = new Part("payment", "payment", Session ? [payButton] : []);
const debit = new Part("debit", "direct-debit", [byId("debit-form")]);

function pay(order) {
  const session = new Session(3, {
    countryCode: order.country,
    currencyCode: order.currency,
    merchantCapabilities: ["supports3DS"],
    supportedNetworks: NETWORKS,
    total: { label: order.merchant, amount: order.amount },
  });
  session.onvalidatemerchant = async (event) => {
    try {
      session.completeMerchantValidation(await call("/apple-pay/session", { validation_url: event.validationURL }));
    } catch (error) {
      console.warn(error);
      session.abort();
      payment.show({ ...payment.state, text: "Apple Pay does not work at the moment. You were not charged." });
    }
  };
  session.onpaymentauthorized = async (event) => {
    const { stage, action } = await payment.send({ token: event.payment.token });
    if (stage === "done") {
      session.completePayment(Session.STATUS_SUCCESS);
    } else if (action === "start" || action === "retry") {
      session.completePayment(Session.STATUS_FAILURE);
    } else {
      session.abort(); // the sheet knows success and failure only, and this is neither
    }
  };
  session.begin();
}

async function begin() {
  const order = await call(address);
  byId("merchant").textContent = order.merchant;
  byId("order").textContent = order.id;
  byId("amount").textContent = new Intl.NumberFormat("en", { style: "currency", currency: order.currency }).format(
    order.amount,
  );
  byId("payment-none").hidden = Boolean(Session) || order.payment.action !== "start";
  payment.show(order.payment);
  debit.show(order.debit);
  payButton.addEventListener("click", () => pay(order));
  byId("debit-form").addEventListener("submit", (event) => {
    event.preventDefault();
    debit.send({ iban: byId("iban").value.replaceAll(" ", "") });
  });
  byId("card").addEventListener("click", saveCard);
}

// Zuora's own form takes the session token; see README.md for its script, which this page does not load.
async function saveCard() {
  const button = byId("card");
  button.disabled = true; // and stays so: one session is enough for a form
  try {
    const { token } = await call(`${address}/card-session`, {});
    byId("card-text").textContent = `Zuora's form would open here, with a session token of ${token.length} characters.`;
  } catch (error) {
    console.warn(error);
    button.disabled = false;
    byId("card-text").textContent = "A card cannot be saved at the moment. Please try again.";
  }
}

try {
  await begin();
} catch (error) {
  console.warn(error);
  byId("payment-text").textContent = "This order cannot be shown. Please reload the page.";
}
