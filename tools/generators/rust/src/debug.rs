//! `Debug` of messages with sensitive fields: what the contract marks is replaced.

use std::collections::BTreeSet;
use std::fmt::Write;

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// Returns the source of the implementations.
pub fn implementations(files: &FileDescriptorSet, guarded: &BTreeSet<&str>, sensitive: &BTreeSet<String>) -> String {
    let mut source = String::new();
    for file in &files.file {
        let module = format!("super::generated::{}", file.package().replace('.', "::"));
        for message in &file.message_type {
            let name = format!("{}.{}", file.package(), message.name());
            add_message(&mut source, &module, &name, message, guarded, sensitive);
        }
    }
    source
}

fn add_message(
    source: &mut String,
    module: &str,
    name: &str,
    message: &DescriptorProto,
    guarded: &BTreeSet<&str>,
    sensitive: &BTreeSet<String>,
) {
    let inner = format!("{module}::{}", message.name().to_snake_case());
    if guarded.contains(name) {
        let is_sensitive = |field: &FieldDescriptorProto| sensitive.contains(&format!("{name}.{}", field.name()));
        add_struct(source, module, message, is_sensitive);
        for (index, oneof) in message.oneof_decl.iter().enumerate() {
            let arms: Vec<_> = message.field.iter().filter(|field| oneof_of(field) == Some(index)).collect();
            if !arms.is_empty() {
                add_oneof(source, &format!("{inner}::{}", oneof.name().to_upper_camel_case()), &arms, is_sensitive);
            }
        }
    }
    for nested in &message.nested_type {
        add_message(source, &inner, &format!("{name}.{}", nested.name()), nested, guarded, sensitive);
    }
}

fn add_struct(
    source: &mut String,
    module: &str,
    message: &DescriptorProto,
    is_sensitive: impl Fn(&FieldDescriptorProto) -> bool,
) {
    let name = message.name().to_upper_camel_case();
    let mut fields = String::new();
    for field in message.field.iter().filter(|field| oneof_of(field).is_none()) {
        let value = if is_sensitive(field) { REDACTED.into() } else { format!("&self.r#{}", field.name()) };
        write!(fields, ".field({:?}, {value})", field.name()).unwrap();
    }
    for (index, oneof) in message.oneof_decl.iter().enumerate() {
        if message.field.iter().any(|field| oneof_of(field) == Some(index)) {
            write!(fields, ".field({:?}, &self.r#{})", oneof.name(), oneof.name()).unwrap();
        }
    }
    let body = format!("formatter.debug_struct({name:?}){fields}.finish()");
    add_implementation(source, &format!("{module}::{name}"), &body);
}

fn add_oneof(
    source: &mut String,
    path: &str,
    arms: &[&FieldDescriptorProto],
    is_sensitive: impl Fn(&FieldDescriptorProto) -> bool,
) {
    let mut cases = String::new();
    for arm in arms {
        let name = arm.name().to_upper_camel_case();
        let (bound, shown) = if is_sensitive(arm) { ("_", REDACTED) } else { ("value", "value") };
        write!(cases, "Self::{name}({bound}) => formatter.debug_tuple({name:?}).field({shown}).finish(),").unwrap();
    }
    add_implementation(source, path, &format!("match self {{ {cases} }}"));
}

fn add_implementation(source: &mut String, path: &str, body: &str) {
    let signature = "fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result";
    writeln!(source, "impl ::core::fmt::Debug for {path} {{ {signature} {{ {body} }} }}").unwrap();
}

/// Returns the index of the oneof that a field is an arm of; an optional field is of none.
fn oneof_of(field: &FieldDescriptorProto) -> Option<usize> {
    field.oneof_index.filter(|_| !field.proto3_optional()).map(|index| index as usize)
}

const REDACTED: &str = "&format_args!(\"[redacted]\")";
