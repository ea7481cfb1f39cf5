//! The README says what is so.

mod support;

use payorch::testing::FakePayorch;
use payorch::{Client, Error, Resend};
use tokio::net::TcpListener;

use support::{Authority, Tls, session};

const README: &str = include_str!("../README.md");

#[test]
fn the_test_in_the_readme_is_one_that_runs() {
    let (_, test) = include_str!("refused_payment.rs").split_once("\n\n").unwrap();

    assert!(README.contains(&format!("```rust\n{test}```\n")));
}

#[tokio::test]
async fn the_five_mistakes_give_the_errors_of_the_readme() {
    let payorch = FakePayorch::start();
    let secured = Tls::before(payorch.target(), &Authority::new(), "127.0.0.1", None).await;
    let nothing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let token = |_| async { Ok::<_, Error>("secret\n".to_owned()) };
    let mut errors = vec![Client::builder("https://payorch:50051").connect().unwrap_err()];
    for builder in [
        payorch.builder().token(token),
        Client::builder(&secured.target).plaintext(),
        Client::builder(&secured.target),
        Client::builder(nothing).plaintext(),
    ] {
        let client = builder.resend(Resend { attempts: 1, ..Resend::default() }).connect().unwrap();
        errors.push(client.create_session(&session()).await.unwrap_err());
    }
    for error in errors {
        let text = error.call_error().map_or_else(|| error.to_string(), |told| told.hint.clone());
        assert!(README.contains(&format!("| `{:?}`: {text} |", error.kind())), "{error:?}");
    }
}
