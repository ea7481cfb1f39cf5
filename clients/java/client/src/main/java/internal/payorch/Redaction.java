package internal.payorch;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MapEntry;
import com.google.protobuf.Message;
import internal.payorch.v1.Sensitivity;
import internal.payorch.v1.SensitivityProto;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Messages as text that may be shown: what the contract marks as sensitive is replaced.
 *
 * <p>The descriptors alone decide, so a field is covered from the moment it is marked. It is the one way in which a
 * message may be shown; {@code toString} of a message shows everything.
 */
public final class Redaction {
  private static final String REDACTED = "[redacted]";
  private static final Gson JSON =
      new GsonBuilder().disableHtmlEscaping().serializeSpecialFloatingPointValues().create();

  private final List<String> lines = new ArrayList<>();

  private Redaction() {}

  /**
   * {@return the message as text without anything sensitive}
   *
   * <p>One line for each value that is set, as {@code path: value}, in the order of field numbers. Of a sensitive field
   * the line says only that it is set. Bytes are measured, and fields that this version does not know are counted,
   * because they could hold anything.
   *
   * @param message of this contract, or any other; a status of gRPC's inside it is rendered by its own type
   */
  public static String redacted(Message message) {
    var redaction = new Redaction();
    redaction.add("", message);
    return String.join("\n", redaction.lines);
  }

  private void add(String path, Message message) {
    if (message instanceof Any packed) {
      addPacked(path, packed);
      return;
    }
    message.getAllFields().forEach((field, value) -> addField(path, field, value));
    var unknown = message.getUnknownFields().asMap().values().stream()
        .mapToInt(field -> field.getVarintList().size() + field.getFixed32List().size() + field.getFixed64List().size()
            + field.getLengthDelimitedList().size() + field.getGroupList().size())
        .sum();
    if (unknown > 0) {
      lines.add("%s: %d unknown fields".formatted(orDot(path), unknown));
    } else if (message.getAllFields().isEmpty()) {
      lines.add(orDot(path) + ": set, without a value");
    }
  }

  private void addField(String path, FieldDescriptor field, Object value) {
    var below = path.isEmpty() ? field.getName() : path + "." + field.getName();
    if (isSensitive(field)) {
      lines.add(below + ": " + REDACTED);
    } else if (field.isMapField()) {
      ((List<?>) value).stream()
          .map(entry -> (MapEntry<?, ?>) entry)
          .sorted(Comparator.comparing(entry -> String.valueOf(entry.getKey())))
          .forEach(entry -> addValue("%s[%s]".formatted(below, JSON.toJson(entry.getKey())), entry.getValue()));
    } else if (field.isRepeated()) {
      var values = (List<?>) value;
      for (var index = 0; index < values.size(); index++) {
        addValue("%s[%d]".formatted(below, index), values.get(index));
      }
    } else {
      addValue(below, value);
    }
  }

  private void addValue(String path, Object value) {
    if (value instanceof Message message) {
      add(path, message);
    } else {
      lines.add(path + ": " + scalar(value));
    }
  }

  /** Renders what an Any holds; what cannot be read is measured. */
  private void addPacked(String path, Any packed) {
    for (var kind : Kinds.KNOWN) {
      if (packed.is(kind.getClass())) {
        try {
          var message = packed.unpack(kind.getClass());
          add("%s(%s)".formatted(path, message.getDescriptorForType().getFullName()), message);
          return;
        } catch (InvalidProtocolBufferException e) {
          break;
        }
      }
    }
    lines.add("%s: <%d bytes of a type that is not known>".formatted(orDot(path), packed.getValue().size()));
  }

  private static boolean isSensitive(FieldDescriptor field) {
    var options = field.getOptions();
    return options.getExtension(SensitivityProto.sensitivity) != Sensitivity.SENSITIVITY_UNSPECIFIED
        || options.getDebugRedact();
  }

  private static String scalar(Object value) {
    if (value instanceof ByteString bytes) {
      return "<%d bytes>".formatted(bytes.size());
    }
    if (value instanceof EnumValueDescriptor named) {
      return named.getIndex() < 0 ? String.valueOf(named.getNumber()) : named.getName();
    }
    // As JSON, so that no value breaks the line or looks like another one.
    return JSON.toJson(value);
  }

  private static String orDot(String path) {
    return path.isEmpty() ? "." : path;
  }

  /** The messages that are sent inside an Any: the details of errors. */
  private static final class Kinds {
    static final List<Message> KNOWN =
        List.of(
            internal.payorch.v1.CallOutcome.getDefaultInstance(),
            com.google.rpc.ErrorInfo.getDefaultInstance(),
            com.google.rpc.BadRequest.getDefaultInstance(),
            com.google.rpc.RetryInfo.getDefaultInstance());
  }
}
