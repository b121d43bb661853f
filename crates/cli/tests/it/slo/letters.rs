//! HTTPS with an authority that the system does not know.

use super::{EXAMPLE, budgets::seed, folder, servers::encrypted_receiver};
use crate::support::{Gateway, PATIENCE, wait_for};

#[test]
fn a_receiver_with_an_authority_of_its_own_is_trusted_where_it_is_named_and_not_else() {
    let state = folder("slo-https");
    seed(&state);
    let (url, authority, letters) = encrypted_receiver(&state);
    let notify = format!("webhook={url}");
    let arguments = [EXAMPLE, "--state", state.to_str().unwrap(), "--notify", &notify];

    let gateway = Gateway::up(&arguments);
    let error = wait_for("a letter that is not taken", || {
        let waiting = gateway.api("/api/v1/slo")["letters"]["waiting"].clone();
        waiting[0]["error"].as_str().filter(|error| !error.is_empty()).map(str::to_owned)
    });
    assert!(error.contains("UnknownIssuer"), "{error}");
    assert!(letters.try_recv().is_err());
    drop(gateway);

    let _gateway = Gateway::up_with(&arguments, &[("SSL_CERT_FILE", &authority)]);
    let (_, letter) = letters.recv_timeout(PATIENCE).unwrap();
    assert_eq!(letter["status"], "resolved", "{letter:#}");
}

#[test]
fn a_file_of_certificates_that_is_not_there_is_said() {
    let nowhere = folder("slo-no-certificates").join("nowhere.pem");
    let gateway = Gateway::up_with(&[EXAMPLE], &[("SSL_CERT_FILE", &nowhere)]);
    wait_for("a warning", || {
        let said = gateway.complaints();
        (said.contains("cannot be read") && said.contains("nowhere.pem")).then_some(())
    });
}
