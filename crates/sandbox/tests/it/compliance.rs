//! Compliance over the wire: what is refused today, and what the switch opens.

use std::time::Duration;

use sandbox::options::Compliance;
use serde_json::{Value, json};

use crate::lab::{Lab, Reply};

async fn call(lab: &Lab, token: &str, cmdlet: &str, parameters: Value) -> Reply {
    let about = lab.running.description();
    let url = format!(
        "{}/adminapi/beta/{}/InvokeCommand",
        about.compliance, about.tenant
    );
    lab.invoke_at(&url, token, &[], cmdlet, parameters)
        .await
        .unwrap()
}

async fn user_token(lab: &Lab) -> String {
    let mut fields = lab.user_fields();
    fields[4].1 = format!("{}/.default", lab.running.description().compliance);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    lab.ask_token(&fields).await.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn search() -> Value {
    json!({"Name": "wave", "ExchangeLocation": "All", "ContentMatchQuery": "kind:email"})
}

#[tokio::test]
async fn by_default_neither_an_app_nor_a_user_may_search() {
    let lab = Lab::new().await;
    let compliance = lab.running.description().compliance.clone();
    let app = lab.app_token("containment", &compliance).await;
    let reply = call(&lab, &app, "New-ComplianceSearch", search()).await;
    assert!(
        reply.status == 400 || reply.status == 401 || reply.status == 403,
        "{}",
        reply.status
    );
    let user = user_token(&lab).await;
    let reply = call(&lab, &user, "New-ComplianceSearch", search()).await;
    assert_eq!(reply.status, 400);
    assert!(
        reply.refusal().contains("-EnableSearchOnlySession flag"),
        "{}",
        reply.refusal()
    );
    lab.running
        .change(|settings| settings.compliance = Compliance::SearchOnly)
        .unwrap();
    assert_eq!(
        call(&lab, &user, "New-ComplianceSearch", search())
            .await
            .status,
        200
    );
    assert_ne!(
        call(&lab, &app, "New-ComplianceSearch", search())
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn with_the_switch_an_app_searches_and_purges() {
    let lab = Lab::with(|options| options.settings.compliance = Compliance::Legacy).await;
    let compliance = lab.running.description().compliance.clone();
    let app = lab.app_token("containment", &compliance).await;
    let run = async |cmdlet: &str, given: Value| {
        let reply = call(&lab, &app, cmdlet, given).await;
        assert_eq!(reply.status, 200, "{cmdlet}: {:?}", reply.bytes);
        reply.json()["value"].clone()
    };
    run("New-ComplianceSearch", search()).await;
    run("Start-ComplianceSearch", json!({"Identity": "wave"})).await;
    let state = run("Get-ComplianceSearch", json!({"Identity": "wave"})).await;
    assert_ne!(state[0]["Status"], "Completed", "a search takes time");
    lab.running.advance(Duration::from_mins(10));
    let state = run("Get-ComplianceSearch", json!({"Identity": "wave"})).await;
    assert_eq!(state[0]["Status"], "Completed");
    assert!(state[0]["Items"].as_u64().unwrap() > 0);
    let purge = json!({"SearchName": "wave", "Purge": true, "PurgeType": "soft", "Confirm": false});
    run("New-ComplianceSearchAction", purge).await;
    lab.running.advance(Duration::from_mins(10));
    let state = run(
        "Get-ComplianceSearchAction",
        json!({"Identity": "wave_Purge"}),
    )
    .await;
    assert_eq!(state[0]["Status"], "Completed");
    assert!(
        state[0]["Results"]
            .as_str()
            .unwrap()
            .starts_with("Purge Type: SoftDelete;")
    );
    let missing = call(
        &lab,
        &app,
        "Get-ComplianceSearchAction",
        json!({"Identity": "x_Purge"}),
    );
    assert_eq!(missing.await.status, 404);
}
