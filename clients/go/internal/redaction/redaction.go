// Package redaction writes messages as text that may be shown: what the contract marks as sensitive is replaced. It is
// driven by the descriptors alone, so a field is covered from the moment it is marked.
package redaction

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
)

// sensitivity is the number of the option (payorch.v1.sensitivity).
const sensitivity protoreflect.FieldNumber = 74210

const redacted = "[redacted]"

// Lines returns a message as one line for each value that is set, as path: value, in the order of field numbers.
//
// Of a sensitive field the line says only that it is set; of a sensitive map not even how many entries it has. Bytes are
// measured, and fields that this version does not know are counted, because they could hold anything.
func Lines(message proto.Message) []string {
	if message == nil || !message.ProtoReflect().IsValid() {
		return []string{"<nil>"}
	}
	var out text
	out.message(message.ProtoReflect(), "")
	return out
}

// Line returns the same in one line. The generated messages print themselves with it.
func Line(message proto.Message) string { return strings.Join(Lines(message), ", ") }

type text []string

func (t *text) add(path, format string, values ...any) {
	if path == "" {
		path = "."
	}
	*t = append(*t, path+": "+fmt.Sprintf(format, values...))
}

func (t *text) message(message protoreflect.Message, path string) {
	if packed, ok := message.Interface().(*anypb.Any); ok {
		t.packed(packed, path)
		return
	}
	before := len(*t)
	for _, field := range set(message) {
		below := string(field.Name())
		if path != "" {
			below = path + "." + below
		}
		if isSensitive(field) {
			t.add(below, redacted)
			continue
		}
		t.field(field, message.Get(field), below)
	}
	if unknown := countUnknown(message.GetUnknown()); unknown > 0 {
		t.add(path, "%d unknown fields", unknown)
	} else if len(*t) == before {
		t.add(path, "set, without a value")
	}
}

// set returns the fields of a message that are set, by number.
func set(message protoreflect.Message) []protoreflect.FieldDescriptor {
	var fields []protoreflect.FieldDescriptor
	message.Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		fields = append(fields, field)
		return true
	})
	slices.SortFunc(fields, func(a, b protoreflect.FieldDescriptor) int { return int(a.Number()) - int(b.Number()) })
	return fields
}

func isSensitive(field protoreflect.FieldDescriptor) bool {
	options, ok := field.Options().(*descriptorpb.FieldOptions)
	if !ok || options == nil {
		return false
	}
	marked := options.GetDebugRedact()
	options.ProtoReflect().Range(func(option protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		marked = marked || option.Number() == sensitivity && value.Enum() != 0
		return true
	})
	return marked
}

func (t *text) field(field protoreflect.FieldDescriptor, value protoreflect.Value, path string) {
	switch {
	case field.IsMap():
		lines := map[string]protoreflect.Value{}
		value.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
			lines[fmt.Sprintf("%s[%s]", path, strconv.Quote(key.String()))] = value
			return true
		})
		for _, where := range sorted(lines) {
			t.value(field.MapValue(), lines[where], where)
		}
	case field.IsList():
		for index := range value.List().Len() {
			t.value(field, value.List().Get(index), fmt.Sprintf("%s[%d]", path, index))
		}
	default:
		t.value(field, value, path)
	}
}

func sorted(lines map[string]protoreflect.Value) []string {
	paths := make([]string, 0, len(lines))
	for path := range lines {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

func (t *text) value(field protoreflect.FieldDescriptor, value protoreflect.Value, path string) {
	switch field.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		t.message(value.Message(), path)
	case protoreflect.BytesKind:
		t.add(path, "<%d bytes>", len(value.Bytes()))
	case protoreflect.StringKind: // quoted, so that no value breaks the line or looks like another one
		t.add(path, "%s", strconv.Quote(value.String()))
	case protoreflect.EnumKind:
		if named := field.Enum().Values().ByNumber(value.Enum()); named != nil {
			t.add(path, "%s", named.Name())
		} else {
			t.add(path, "%d", value.Enum())
		}
	default:
		t.add(path, "%s", value.String())
	}
}

// packed writes what an Any holds; what cannot be read is measured.
func (t *text) packed(packed *anypb.Any, path string) {
	message, err := packed.UnmarshalNew()
	if err != nil {
		t.add(path, "<%d bytes of a type that is not known>", len(packed.GetValue()))
		return
	}
	t.message(message.ProtoReflect(), fmt.Sprintf("%s(%s)", path, packed.MessageName()))
}

func countUnknown(fields []byte) int {
	count := 0
	for len(fields) > 0 {
		_, _, length := protowire.ConsumeField(fields)
		if length < 0 {
			return count + 1
		}
		fields = fields[length:]
		count++
	}
	return count
}
