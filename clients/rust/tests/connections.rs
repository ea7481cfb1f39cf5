//! How a client connects: to every address, again after a loss, and what it says when it cannot.

mod support;

use std::collections::HashSet;
use std::fs::write;
use std::time::Duration;

use payorch::testing::FakePayorch;
use payorch::v1::Outcome;
use payorch::{CallSettings, Client, Error, ErrorKind, Resend, Tls};
use tokio::net::TcpListener;

use support::{Authority, Proxy, payment, session};

const ONCE: Resend = Resend { attempts: 1, within: Duration::from_secs(20) };

async fn call(client: &Client) -> Result<(), Error> {
    client.create_session(&session()).await.map(|_| ())
}

/// Returns a port where nothing listens.
async fn nothing() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

fn hint(error: &Error) -> String {
    let told = error.call_error().unwrap();
    assert_eq!((ErrorKind::NotSent, Outcome::NotSent), (error.kind(), told.outcome), "{error}");
    assert!(told.message.contains(&told.hint));
    told.hint.clone()
}

#[tokio::test]
async fn calls_take_turns_over_every_address() {
    let doubles = [FakePayorch::start(), FakePayorch::start()];
    let target = format!("ipv4:{},{}", doubles[0].target(), doubles[1].target());
    let client = Client::builder(target).plaintext().connect().unwrap();
    call(&client).await.unwrap();
    // By then the other connection is ready as well, or about to be.
    for _ in 0..1000 {
        if doubles.iter().any(|double| double.calls().len() < 2) {
            call(&client).await.unwrap();
        }
    }
    let before = doubles.each_ref().map(|double| double.calls().len());
    for _ in 0..10 {
        call(&client).await.unwrap();
    }
    assert_eq!(before.map(|calls| calls + 5), doubles.each_ref().map(|double| double.calls().len()));
}

#[cfg(unix)]
#[tokio::test]
async fn a_socket_of_this_machine_may_carry_a_token() {
    let path = std::env::temp_dir().join(payorch::new_request_id());
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let payorch = FakePayorch::start();
    let inner = payorch.target().to_owned();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut inner = tokio::net::TcpStream::connect(inner).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut inner).await
    });
    let token = |_| async { Ok::<_, Error>("token".to_owned()) };
    let client = Client::builder(format!("unix:{}", path.display())).plaintext().token(token).connect().unwrap();
    call(&client).await.unwrap();
    std::fs::remove_file(path).unwrap();

    assert_eq!("token", payorch.calls()[0].token);
}

#[tokio::test]
async fn an_address_that_fails_does_not_hinder_calls() {
    let payorch = FakePayorch::start();
    let target = format!("ipv4:{},{}", nothing().await, payorch.target());
    let client = Client::builder(target).plaintext().resend(ONCE).connect().unwrap();
    for _ in 0..5 {
        call(&client).await.unwrap();
    }
    assert_eq!(5, payorch.calls().len());
}

#[tokio::test]
async fn a_connection_that_has_ended_is_replaced_without_a_resend() {
    let payorch = FakePayorch::start();
    let mut proxy = Proxy::before(payorch.target()).await;
    let client = Client::builder(&proxy.target).plaintext().resend(ONCE).connect().unwrap();
    call(&client).await.unwrap();
    let before = payorch.calls().len();
    proxy.end_connections().await;
    call(&client).await.unwrap();

    assert_eq!((1, 2), (before, payorch.calls().len()));
}

#[tokio::test]
async fn a_refused_port_is_not_sent() {
    let client = Client::builder(nothing().await).plaintext().resend(ONCE).connect().unwrap();
    let error = client.decrypt_apple_pay(&payment()).await.unwrap_err();

    assert_eq!("nothing listens there; check host and port", hint(&error));
}

#[tokio::test]
async fn the_answer_of_a_server_explains_more_than_a_refused_port() {
    let payorch = FakePayorch::start();
    let target = format!("ipv4:{},{}", nothing().await, payorch.target());
    let error = call(&Client::builder(target).resend(ONCE).connect().unwrap()).await.unwrap_err();

    assert!(hint(&error).starts_with("the server speaks no TLS"), "{error}");
}

#[tokio::test]
async fn a_name_without_an_address_is_not_sent() {
    let client = Client::builder("payorch.invalid:50051").resend(ONCE).connect().unwrap();
    let error = call(&client).await.unwrap_err();

    assert_eq!("the host name is not known", hint(&error));
}

#[tokio::test]
async fn a_server_that_never_speaks_ends_the_call_unsent_at_its_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::builder(silent.local_addr().unwrap().to_string()).plaintext().connect().unwrap();
    let settings = CallSettings::new().deadline(Duration::from_millis(50));
    let error = client.decrypt_apple_pay(&payment()).with(settings).await.unwrap_err();

    assert_eq!("it was not made in time", hint(&error));
}

#[tokio::test]
async fn mistakes_of_tls_are_explained() {
    let payorch = FakePayorch::start();
    let (authority, other) = (Authority::new(), Authority::new());
    let secured = support::Tls::before(payorch.target(), &authority, "127.0.0.1", None).await;
    let elsewhere = support::Tls::before(payorch.target(), &authority, "payorch.example", None).await;
    let mutual = support::Tls::before(payorch.target(), &authority, "127.0.0.1", Some(&authority)).await;
    let trusting = || Tls::new().ca_pem(authority.pem());
    let (certificate, key) = other.issue("caller");
    for (builder, expected) in [
        (Client::builder(&secured.target).plaintext(), "TLS"),
        (Client::builder(payorch.target()).tls(trusting()), "the server speaks no TLS; .plaintext() connects without"),
        (Client::builder(&secured.target), "the server's certificate is not trusted; name its authority with"),
        (Client::builder(&secured.target).tls(Tls::new().ca_pem(other.pem())), "is not trusted"),
        (Client::builder(&elsewhere.target).tls(trusting()), "the server's certificate is for another host name"),
        (Client::builder(&mutual.target).tls(trusting()), "it may require a client certificate"),
        (Client::builder(&mutual.target).tls(trusting().certificate_pem(certificate, key)), "may not accept"),
    ] {
        let error = call(&builder.resend(ONCE).connect().unwrap()).await.unwrap_err();
        assert!(hint(&error).contains(expected), "{error}");
    }
    assert!(payorch.calls().is_empty());
}

#[tokio::test]
async fn renewed_certificates_are_used_and_unreadable_ones_are_not() {
    let payorch = FakePayorch::start();
    let (authority, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let before = support::Tls::before(payorch.target(), &authority, "127.0.0.1", Some(&old)).await;
    let folder = std::env::temp_dir().join(payorch::new_request_id());
    std::fs::create_dir(&folder).unwrap();
    let [ca_file, certificate_file, key_file] = ["ca.pem", "tls.crt", "tls.key"].map(|name| folder.join(name));
    write(&ca_file, authority.pem()).unwrap();
    let renew = |(certificate, key): (String, String)| {
        write(&certificate_file, certificate).unwrap();
        write(&key_file, key).unwrap();
    };
    renew(old.issue("caller"));
    let tls = Tls::new().ca_file(&ca_file).certificate_files(&certificate_file, &key_file);
    let client = Client::builder(&before.target).tls(tls).resend(ONCE).connect().unwrap();
    call(&client).await.unwrap();

    renew((old.issue("caller").0, "half".into()));
    later().await;
    call(&client).await.unwrap();

    renew(new.issue("caller"));
    call(&client).await.unwrap();
    later().await;
    let refused = call(&client).await.unwrap_err();
    std::fs::remove_dir_all(&folder).unwrap();

    assert!(hint(&refused).contains("may not accept the client's certificate"), "{refused}");
    assert_eq!(3, payorch.calls().len());
}

/// Moves the clock so far that files are looked at again.
async fn later() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
}

#[test]
fn a_client_outlives_its_runtime() {
    let run = |call: &dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = ()>>>| {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(call());
    };
    let service = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let payorch = service.block_on(async { FakePayorch::start() });
    let client = payorch.builder().connect().unwrap();
    for _ in 0..2 {
        let client = client.clone();
        run(&move || {
            let client = client.clone();
            Box::pin(async move { call(&client).await.unwrap() })
        });
    }
    let ids: HashSet<_> = payorch.executed().into_iter().map(|call| call.request_id).collect();

    assert_eq!(2, ids.len());
}

#[test]
fn what_could_never_connect_is_refused_at_once() {
    let tls = || Tls::new().ca_file("/nowhere.pem");
    let token = |_| async { Ok::<_, Error>("secret".to_owned()) };
    for (builder, expected) in [
        (Client::builder("https://payorch:50051"), "target: \"https://payorch:50051\" is the address of a web page"),
        (Client::builder("payorch:50051").tls(tls()).plaintext(), "plaintext: tls is given as well; choose one"),
        (Client::builder("payorch:50051").tls(tls()), "tls: the ca cannot be read: /nowhere.pem"),
        (Client::builder("payorch:50051").plaintext().token(token), "token: it would be sent in plaintext beyond"),
    ] {
        let error = builder.connect().unwrap_err();
        assert!(error.kind() == ErrorKind::Argument && error.to_string().starts_with(expected), "{error}");
    }
}
