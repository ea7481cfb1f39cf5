// Stands in for Apple's ApplePaySession in browsers that have none. The demo's back end makes the token, under a
// published test authority that only the emulator trusts.

export class StandInSession {
  static STATUS_SUCCESS = 0;
  static STATUS_FAILURE = 1;

  begin() {
    this.#authorize();
  }

  async #authorize() {
    const order = new URLSearchParams(location.search).get("order") ?? "";
    const response = await fetch(`/stand-in/${encodeURIComponent(order)}`, { method: "POST" });
    await this.onpaymentauthorized({ payment: { token: await response.json() } });
  }

  completePayment() {}

  abort() {}
}
