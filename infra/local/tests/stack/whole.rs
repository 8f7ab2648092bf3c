//! Tests of the whole stack: events from S3 and from jobs, the state folder, and a complete shutdown.

use std::time::{Duration, Instant};

use crate::support::{Fixture, options};
use aws_sdk_s3::primitives::ByteStream;
use penstock_aws::emr::EmrJobs;
use penstock_aws::jobs::{JobRequest, Jobs as _};
use penstock_local::process::is_alive;
use penstock_local::{Endpoints, LocalError, Stack};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn an_object_in_the_raw_bucket_reaches_the_function_within_half_a_second() {
    let fixture = Fixture::up(&[]).await;
    let key = "abt/ä file+name%2B(1).csv";
    let bucket = fixture.stack.endpoints().variable("PENSTOCK_RAW_BUCKET").unwrap().to_owned();
    // Without the function's cold start, which is not a part of the measured time.
    fixture.control("POST", "/functions/fake/invoke", "{\"Records\": []}").await;
    let put = Instant::now();
    let body = ByteStream::from_static(b"id,name\n");
    fixture.s3.put_object().bucket(&bucket).key(key).body(body).send().await.unwrap();
    fixture.wait("the event", |fixture| !fixture.bodies().is_empty()).await;
    assert!(put.elapsed() < Duration::from_millis(500), "{:?}", put.elapsed());
    let event: Value = serde_json::from_str(&fixture.bodies()[0]).unwrap();
    assert_eq!(event["detail-type"], "Object Created");
    assert_eq!(event["detail"]["object"]["key"], key);
    assert_eq!(event["detail"]["bucket"]["name"], bucket);
    assert!(event["detail"]["object"]["version-id"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_starts_one_job_and_the_end_of_the_job_is_an_event() {
    let fixture = Fixture::up(&[]).await;
    let jobs = EmrJobs::new(&fixture.aws);
    let request = JobRequest {
        application_id: "00localspark0001".to_owned(),
        execution_role_arn: "arn:aws:iam::123456789012:role/spark".to_owned(),
        name: "penstock/abt/b".to_owned(),
        client_token: "b".to_owned(),
        entry_point: "s3://artifacts/spark/standardise.py".to_owned(),
        arguments: vec!["--batch".to_owned(), "b".to_owned()],
        timeout_minutes: 60,
    };
    let (code, _) = fixture.control("POST", "/jobs/outcome", r#"{"outcome": "hold"}"#).await;
    assert_eq!(code, 200);
    let id = jobs.start(&request).await.unwrap();
    assert_eq!(jobs.start(&request).await.unwrap(), id);
    let other = JobRequest { name: "another".to_owned(), ..request.clone() };
    assert!(!jobs.start(&other).await.unwrap_err().is_transient(), "a conflict is permanent");
    let nowhere = JobRequest { application_id: "none".to_owned(), ..request };
    assert!(jobs.start(&nowhere).await.is_err());

    let decision = r#"{"outcome": "failed", "details": "as requested"}"#;
    let (code, body) = fixture.control("POST", &format!("/jobs/{id}/outcome"), decision).await;
    assert_eq!(code, 200, "{body}");
    let received = fixture
        .sqs
        .receive_message()
        .queue_url(fixture.queue_url("Jobs"))
        .wait_time_seconds(10)
        .send()
        .await
        .unwrap();
    let event: Value = serde_json::from_str(received.messages()[0].body().unwrap()).unwrap();
    assert_eq!(event["source"], "aws.emr-serverless");
    assert_eq!(event["detail"]["state"], "FAILED");
    assert_eq!(event["detail"]["previousState"], "RUNNING");
    assert_eq!(event["detail"]["jobRunName"], "penstock/abt/b");
    assert_eq!(event["detail"]["stateDetails"], "as requested");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_stack_with_the_same_folder_is_refused_and_no_process_of_the_first_remains() {
    let (first, _folder) = options(&[]);
    let second = first.clone();
    let state_dir = first.state_dir.clone();
    let stack = Box::pin(Stack::up(first)).await.unwrap();
    let refused = Box::pin(Stack::up(second)).await.unwrap_err();
    let own_pid = Some(std::process::id());
    assert!(matches!(refused, LocalError::AlreadyRunning { pid } if pid == own_pid), "{refused}");

    let endpoints = Endpoints::load(&state_dir).unwrap();
    assert_eq!(&endpoints, stack.endpoints());
    assert!(endpoints.variable("FAKE_QUEUE_URL").unwrap().ends_with("/local-queue"));
    assert!(endpoints.variable("PENSTOCK_DATABASE_URL").unwrap().starts_with("postgres://"));
    let state: Value = serde_json::from_slice(&std::fs::read(state_dir.join("state.json")).unwrap()).unwrap();
    let children: Vec<u32> = state["children"]
        .as_array()
        .unwrap()
        .iter()
        .map(|child| child["pid"].to_string().parse().unwrap())
        .collect();
    assert_eq!(children.len(), 2);
    assert!(children.iter().all(|pid| is_alive(*pid)));

    stack.restart_database().await.unwrap();
    stack.down().await.unwrap();
    assert!(!children.iter().any(|pid| is_alive(*pid)));
    assert!(matches!(Endpoints::load(&state_dir), Err(LocalError::NotRunning { .. })));
    assert!(state_dir.join("functions.json").exists());
    assert!(!state_dir.join("env").exists());
}
