package internal.payorch;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.protobuf.ByteString;
import java.io.IOException;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Apple Pay tokens as the browser's {@code onpaymentauthorized} hands them over. No exception quotes one. */
public final class ApplePayTokens {
  private static final Gson JSON = new GsonBuilder().disableHtmlEscaping().serializeNulls().create();
  private static final String TOKEN = "token";

  private ApplePayTokens() {}

  /**
   * {@return what {@code DecryptApplePayRequest.token_json} takes: the text as it is}
   *
   * @param token the JSON text of {@code event.payment.token}, or of its {@code paymentData}
   * @throws IllegalArgumentException it is not a JSON object, or is that of {@code event.payment}
   */
  public static ByteString of(String token) {
    requireToken(token);
    return ByteString.copyFromUtf8(token);
  }

  /**
   * {@return what {@code DecryptApplePayRequest.token_json} takes: the text as it is}
   *
   * @param token the JSON text of {@code event.payment.token}, or of its {@code paymentData}, in UTF-8
   * @throws IllegalArgumentException it is not a JSON object, or is that of {@code event.payment}
   */
  public static ByteString of(byte[] token) {
    requireToken(decoded(token));
    return ByteString.copyFrom(token);
  }

  /**
   * {@return what {@code DecryptApplePayRequest.token_json} takes: the members as JSON}
   *
   * @param token the members of {@code event.payment.token}, of its {@code paymentData}, or of {@code event.payment}
   * @throws IllegalArgumentException it cannot be written as JSON
   */
  public static ByteString of(Map<String, ?> token) {
    return ByteString.copyFromUtf8(written(token.containsKey(TOKEN) ? token.get(TOKEN) : token));
  }

  private static void requireToken(String text) {
    var read = read(text);
    if (read == null) {
      throw new IllegalArgumentException("token: it is not JSON");
    }
    if (!read.isJsonObject()) {
      throw new IllegalArgumentException("token: it is not a JSON object");
    }
    if (read.getAsJsonObject().has(TOKEN)) {
      throw new IllegalArgumentException("token: this is the whole payment; pass its member `token`");
    }
  }

  /** Returns JSON read; null for what is none, because the exceptions of the parser quote it. */
  private static JsonElement read(String text) {
    try (var reader = new JsonReader(new StringReader(text))) {
      reader.setStrictness(Strictness.STRICT);
      var read = JsonParser.parseReader(reader);
      return reader.peek() == JsonToken.END_DOCUMENT ? read : null;
    } catch (JsonParseException | IOException e) {
      return null;
    }
  }

  private static String decoded(byte[] token) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(token)).toString();
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("token: it is not JSON");
    }
  }

  private static String written(Object token) {
    try {
      return JSON.toJson(token);
    } catch (RuntimeException e) {
      // Without the cause, which may quote it.
      throw new IllegalArgumentException("token: it cannot be written as JSON");
    }
  }
}
