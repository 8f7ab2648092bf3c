//! Tests of the runner and its mappings with a fake function and moto's queues.

use std::time::Duration;

use crate::support::Fixture;
use penstock_local::process::is_alive;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn processed_messages_are_deleted_and_failed_ones_redelivered() {
    let fixture = Fixture::up(&[("MaximumConcurrency", "1")]).await;
    fixture.control("POST", "/mappings/fake/pause", "").await;
    for body in ["a", "fail once", "b"] {
        fixture.send(body).await;
    }
    fixture.control("POST", "/mappings/fake/resume", "").await;
    fixture.wait("all processed", |fixture| fixture.status()["mappings"]["fake"]["messages_done"] == 3).await;
    let bodies = fixture.bodies();
    assert_eq!(bodies.iter().filter(|body| *body == "fail once").count(), 2);
    assert_eq!(bodies.len(), 4);
    assert_eq!(fixture.notes("event").len(), 2, "one batch, then the failed message alone");
    assert_eq!(fixture.status()["mappings"]["fake"]["messages_failed"], 1);
    assert_eq!(fixture.notes("init").len(), 1, "an idle environment is reused");

    let record = &fixture.notes("event")[0]["value"]["event"]["Records"][0];
    assert_eq!(record["eventSourceARN"], "arn:aws:sqs:eu-central-1:123456789012:local-queue");
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_batch_fails_on_error_crash_timeout_and_invalid_response() {
    let fixture = Fixture::up(&[("BatchSize", "1"), ("Timeout", "1"), ("MaximumConcurrency", "1")]).await;
    let bodies = ["error", "crash", "sleep 5", "malformed", "unknown id", "fine"];
    for body in bodies {
        fixture.send(body).await;
    }
    fixture.wait("all tried", |fixture| fixture.status()["mappings"]["fake"]["messages_failed"] == 5).await;
    let done = |fixture: &Fixture| fixture.status()["mappings"]["fake"]["messages_done"] == 1;
    fixture.wait("the good one done", done).await;
    let status = fixture.status();
    let function = &status["functions"]["fake"];
    for (count, expected) in [("errors", 1), ("crashes", 1), ("timeouts", 1), ("init_failures", 0)] {
        assert!(function[count].as_u64().unwrap() >= expected, "{count}: {function:#}");
    }
    assert!(fixture.notes("init").len() >= 3, "a new environment after the crash and after the timeout");
    fixture.wait("the failed ones are redelivered", |fixture| fixture.bodies().len() > bodies.len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_has_the_variables_of_lambda_and_no_others() {
    let fixture = Fixture::up(&[]).await;
    let (code, body) = fixture.control("POST", "/functions/fake/invoke", "{\"Records\": []}").await;
    assert_eq!((code, body.as_str()), (200, "{\"batchItemFailures\": []}"));

    let init = &fixture.notes("init")[0]["value"];
    let names: Vec<&str> = init.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_EMR_SERVERLESS",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_FORMAT",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_LEVEL",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "FAKE_INIT",
        "FAKE_QUEUE_URL",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "PATH",
        "TZ",
        "_HANDLER",
    ];
    // Python itself sets this variable in some locales.
    let names: Vec<&str> = names.into_iter().filter(|name| *name != "LC_CTYPE").collect();
    assert_eq!(names, expected);
    assert_eq!(init["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "256");

    let headers = &fixture.notes("event")[0]["value"]["headers"];
    let deadline: u128 = headers["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    assert!((now + 10_000..=now + 20_000).contains(&deadline));
    assert!(headers["lambda-runtime-invoked-function-arn"].as_str().unwrap().starts_with("arn:aws:lambda:"));
    assert!(headers["lambda-runtime-trace-id"].as_str().unwrap().starts_with("Root=1-"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_runs_on_request_with_the_event_of_eventbridge() {
    let fixture = Fixture::up(&[]).await;
    let control_url = &fixture.stack.endpoints().control_url;
    let response = penstock_local::run_schedule(control_url, "fake").await.unwrap();
    assert_eq!(response, "{\"batchItemFailures\": []}");

    let mut event = fixture.notes("event")[0]["value"]["event"].clone();
    let rule = "arn:aws:events:eu-central-1:123456789012:rule/local-nightly";
    assert_eq!(event["resources"], serde_json::json!([rule]));
    let time: jiff::Timestamp = event["time"].as_str().unwrap().parse().unwrap();
    assert!(time.duration_until(jiff::Timestamp::now()).as_secs() < 60);
    let mut of_aws: Value =
        serde_json::from_str(include_str!("../../../../tests/events/schedule-aws.json")).unwrap();
    for field in ["id", "time", "account", "resources"] {
        assert_eq!(event[field].is_array(), of_aws[field].is_array(), "{field}");
        event[field].take();
        of_aws[field].take();
    }
    assert_eq!(event, of_aws);

    let error = penstock_local::run_schedule(control_url, "nobody").await.unwrap_err();
    assert_eq!(error.to_string(), "a run of nobody failed: no function nobody with a schedule");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_the_maximum_concurrency_of_environments_are_started() {
    let fixture = Fixture::up(&[("BatchSize", "1"), ("MaximumConcurrency", "2")]).await;
    for _ in 0..6 {
        fixture.send("sleep 0.2").await;
    }
    fixture.wait("all done", |fixture| fixture.status()["mappings"]["fake"]["messages_done"] == 6).await;
    assert_eq!(fixture.notes("init").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batching_window_gathers_messages_that_arrive_within_it() {
    let fixture = Fixture::up(&[("Window", "2"), ("BatchSize", "3")]).await;
    fixture.send("a").await;
    fixture.wait_until_received(1).await;
    fixture.send("b").await;
    fixture.wait("both done", |fixture| fixture.status()["mappings"]["fake"]["messages_done"] == 2).await;
    assert_eq!(fixture.notes("event").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_initialisation_is_reported() {
    let fixture = Fixture::up(&[("FakeInit", "error")]).await;
    let (code, body) = fixture.control("POST", "/functions/fake/invoke", "{}").await;
    assert_eq!(code, 502);
    assert!(body.contains("initialisation failed") && body.contains("no database"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_environment_fails_its_batch_and_is_replaced() {
    let fixture = Fixture::up(&[]).await;
    fixture.send("sleep 1").await;
    let busy =
        |fixture: &Fixture| fixture.status()["functions"]["fake"]["environments"][0]["busy_ms"].is_f64();
    fixture.wait("busy", |fixture| busy(fixture) && fixture.bodies().len() == 1).await;
    let (code, killed) = fixture.control("POST", "/functions/fake/kill", "").await;
    assert_eq!(code, 200);
    let killed: Value = serde_json::from_str(&killed).unwrap();
    assert_eq!(killed["killed"].as_array().unwrap().len(), 1);
    let done = |fixture: &Fixture| fixture.status()["mappings"]["fake"]["messages_done"] == 1;
    fixture.wait("the second attempt to succeed", done).await;
    assert_eq!(fixture.status()["functions"]["fake"]["crashes"], 1);
    assert_eq!(fixture.notes("init").len(), 2);
    if cfg!(target_os = "linux") {
        let function = &fixture.status()["functions"]["fake"];
        assert!(function["peak_memory_bytes"].as_u64().unwrap() > 1_000_000, "{function:#}");
        assert!(function["cpu_seconds"].as_f64().unwrap() > 0.0, "{function:#}");
    }

    let pids: Vec<u32> =
        fixture.notes("init").iter().map(|note| note["pid"].to_string().parse().unwrap()).collect();
    fixture.stack.down().await.unwrap();
    for pid in pids {
        assert!(!is_alive(pid));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_environment_is_stopped_and_still_counted() {
    let fixture = Fixture::up_with(&[], |options| options.idle_timeout = Duration::from_millis(200)).await;
    fixture.control("POST", "/functions/fake/invoke", "{}").await;
    let environments = |fixture: &Fixture| fixture.status()["functions"]["fake"]["environments"].clone();
    fixture.wait("stopped", |fixture| environments(fixture).as_array().unwrap().is_empty()).await;
    fixture.control("POST", "/functions/fake/invoke", "{}").await;
    assert_eq!(fixture.notes("init").len(), 2);
    let function = &fixture.status()["functions"]["fake"];
    assert_eq!(function["invocations"], 2);
    assert_eq!(function["init_durations_ms"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_visibility_timeout_applies_only_to_queues_that_invoke_a_function() {
    let fixture =
        Fixture::up_with(&[], |options| options.visibility_timeout = Some(Duration::from_secs(77))).await;
    for (queue, expected) in [("local-queue", "77"), ("Jobs", "30")] {
        let request = fixture.sqs.get_queue_attributes().queue_url(fixture.queue_url(queue));
        let name = aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
        let found = request.attribute_names(name.clone()).send().await.unwrap();
        assert_eq!(found.attributes().unwrap()[&name], expected, "{queue}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_changes_new_environments_and_lets_current_invocations_end() {
    let fixture = Fixture::up(&[]).await;
    fixture.send("sleep 1").await;
    fixture.wait("busy", |fixture| fixture.bodies().len() == 1).await;
    let deployment = r#"{"variables": {"FAKE_RELEASE": "2"}}"#;
    assert_eq!(fixture.control("POST", "/functions/fake/deploy", deployment).await.0, 200);
    let done = |fixture: &Fixture| fixture.status()["mappings"]["fake"]["messages_done"] == 1;
    fixture.wait("the current invocation to end", done).await;
    fixture.control("POST", "/functions/fake/invoke", "{}").await;
    assert_eq!(fixture.control("POST", "/functions/fake/deploy", "{}").await.0, 200);
    fixture.control("POST", "/functions/fake/invoke", "{}").await;
    let releases: Vec<Value> =
        fixture.notes("init").iter().map(|note| note["value"]["FAKE_RELEASE"].clone()).collect();
    assert_eq!(releases, [Value::Null, Value::from("2"), Value::Null]);
    assert_eq!(fixture.status()["functions"]["fake"]["crashes"], 0);

    let missing = r#"{"functions_dir": "/nowhere"}"#;
    let (code, message) = fixture.control("POST", "/functions/fake/deploy", missing).await;
    assert_eq!(code, 404);
    assert!(message.contains("/nowhere/fake"), "{message}");
    assert_eq!(fixture.control("POST", "/functions/fake/deploy", r#"{"function_dir": "/"}"#).await.0, 400);
}
