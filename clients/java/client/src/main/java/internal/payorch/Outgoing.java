package internal.payorch;

import com.google.protobuf.Message;
import internal.payorch.v1.CreatePaymentMethodRequest;
import internal.payorch.v1.DecryptApplePayRequest;
import internal.payorch.v1.GetCallRequest;
import internal.payorch.v1.GetIntentRequest;
import io.grpc.Metadata;
import java.util.Objects;
import java.util.regex.Pattern;

/** What every call gets before it is sent. */
final class Outgoing {
  private static final String REQUEST_ID = "request_id";
  private static final String CALL_INFO = "call";
  private static final String PAYMENT_WITHOUT_ID =
      "request_id: it is required, because the request pays an invoice. An id made by the client would differ in each "
          + "call, so a retry around the call would charge twice. Store Payorch.newRequestId() with the order, and set "
          + "it.";
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final Pattern TOKEN = Pattern.compile("[!-~]+");

  private Outgoing() {}

  /**
   * Returns the request with the id that it is sent under; a fresh one where it may have one of the client's.
   *
   * @throws IllegalArgumentException it needs the caller's own
   */
  static <R extends Message> R named(R request) {
    var field = request.getDescriptorForType().findFieldByName(REQUEST_ID);
    // That of GetCall names other calls, or is left out.
    if (field == null || request instanceof GetCallRequest || !requestId(request).isEmpty()) {
      return request;
    }
    if (paysInvoice(request)) {
      throw new IllegalArgumentException(PAYMENT_WITHOUT_ID);
    }
    // The service would answer truthfully that it knows nothing of a fresh one.
    if (request instanceof GetIntentRequest) {
      throw new IllegalArgumentException("request_id: it is required; it names the intent that is asked about");
    }
    return with(request, request.toBuilder().setField(field, Payorch.newRequestId()));
  }

  /** Returns the request id; empty where a message has none. */
  static String requestId(Message message) {
    var field = message.getDescriptorForType().findFieldByName(REQUEST_ID);
    return field == null ? "" : (String) message.getField(field);
  }

  /**
   * Returns whether a request moves money by itself: it pays an invoice with an Apple Pay token.
   *
   * <p>A session does not: money moves only once a browser uses it.
   */
  static boolean paysInvoice(Message request) {
    if (request instanceof DecryptApplePayRequest decryption) {
      return decryption.hasPayInvoice();
    }
    return request instanceof CreatePaymentMethodRequest method && method.getApplePay().hasPayInvoice();
  }

  /** Returns an answer that names the request id, as that of an older service does not. */
  static <A extends Message> A named(A answer, String requestId) {
    var field = answer.getDescriptorForType().findFieldByName(CALL_INFO);
    if (field == null || requestId.isEmpty() || !requestId((Message) answer.getField(field)).isEmpty()) {
      return answer;
    }
    var call = ((Message) answer.getField(field)).toBuilder();
    call.setField(call.getDescriptorForType().findFieldByName(REQUEST_ID), requestId);
    return with(answer, answer.toBuilder().setField(field, call.build()));
  }

  /** Returns what goes along with an attempt. */
  static Metadata headers(String trackId, String token, TraceContext trace) {
    var headers = new Metadata();
    trace.addTo(headers);
    if (!trackId.isEmpty()) {
      headers.put(Payorch.TRACK_ID, trackId);
    }
    if (!token.isEmpty()) {
      headers.put(AUTHORIZATION, "Bearer " + token);
    }
    return headers;
  }

  /**
   * Returns a token that can be sent as it is.
   *
   * @throws IllegalArgumentException it cannot; the token is not shown
   */
  static String checkedToken(String token) {
    Objects.requireNonNull(token, "token");
    if (!token.strip().equals(token)) {
      throw new IllegalArgumentException("token: it begins or ends with a blank or a line break; strip it");
    }
    if (!TOKEN.matcher(token).matches()) {
      throw new IllegalArgumentException("token: it is empty, or has a character that no header may contain");
    }
    return token;
  }

  @SuppressWarnings("unchecked") // A builder of a message builds messages of its type.
  private static <M extends Message> M with(M original, Message.Builder changed) {
    return (M) original.getClass().cast(changed.build());
  }
}
