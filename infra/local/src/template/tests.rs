use std::collections::BTreeSet;

use super::*;

fn context() -> DeploymentContext {
    DeploymentContext {
        region: "eu-central-1".to_owned(),
        account_id: "123456789012".to_owned(),
        sqs_endpoint: "http://127.0.0.1:1".to_owned(),
    }
}

fn own_template() -> Template {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    Template::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The names of the folders in `functions`, sorted.
fn function_crates() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let names: BTreeSet<String> = entries
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.into_iter().collect()
}

fn resolve(template: &Template, values: &[(&str, &str)]) -> Result<Application, TemplateError> {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    template.resolve(&values, &context())
}

#[test]
fn the_deployed_template_has_a_function_for_each_crate_and_dead_letters_for_each_queue() {
    let application = resolve(&own_template(), &[]).unwrap();
    let names: Vec<String> = application.functions.iter().map(|function| function.binary.clone()).collect();
    assert_eq!(names, function_crates());
    let queues: BTreeSet<&str> = application.queues.iter().map(|queue| queue.name.as_str()).collect();
    let (dead_letters, sources): (Vec<&str>, Vec<&str>) =
        queues.iter().partition(|name| name.ends_with("-dead-letters"));
    assert!(sources.iter().all(|name| queues.contains(format!("{name}-dead-letters").as_str())));
    assert_eq!(dead_letters.len(), sources.len());
    let targets: usize = application.functions.iter().map(|function| function.mappings.len()).sum();
    assert_eq!(targets, sources.len(), "each queue invokes one function");
    assert!(!application.rules.is_empty());
    for function in &application.functions {
        assert!(function.mappings.iter().all(|mapping| mapping.reports_item_failures && mapping.enabled));
    }
}

#[test]
fn only_the_sentinel_has_a_schedule() {
    let schedules = |values: &[(&str, &str)]| -> Vec<(String, ScheduleSpec)> {
        let functions = resolve(&own_template(), values).unwrap().functions;
        let of = |function: FunctionSpec| {
            let binary = function.binary;
            function.schedules.into_iter().map(move |schedule| (binary.clone(), schedule))
        };
        functions.into_iter().flat_map(of).collect()
    };
    let expected = |minutes| {
        let every = std::time::Duration::from_mins(minutes);
        let spec = ScheduleSpec { rule_name: "penstock-dev-sentinel".to_owned(), every, enabled: true };
        vec![("sentinel".to_owned(), spec)]
    };
    assert_eq!(schedules(&[]), expected(15));
    assert_eq!(schedules(&[("SentinelSchedule", "rate(30 minutes)")]), expected(30));
}

#[test]
fn the_visibility_timeout_is_at_least_six_times_the_functions_timeout() {
    let application = resolve(&own_template(), &[]).unwrap();
    for function in &application.functions {
        for mapping in &function.mappings {
            let name = mapping.queue_arn.rsplit(':').next().unwrap();
            let queue = application.queues.iter().find(|queue| queue.name == name).unwrap();
            let visibility: u32 = queue.attributes["VisibilityTimeout"].parse().unwrap();
            assert!(visibility >= 6 * function.timeout_seconds, "{name}");
            assert!(visibility <= 43_200, "{name}: the limit of SQS is 12 hours");
        }
    }
}

#[test]
fn each_source_queue_has_a_dead_letter_queue() {
    let application = resolve(&own_template(), &[]).unwrap();
    for queue in application.queues.iter().filter(|queue| !queue.name.ends_with("-dead-letters")) {
        let policy: Value = serde_json::from_str(&queue.attributes["RedrivePolicy"]).unwrap();
        let target = policy["deadLetterTargetArn"].as_str().unwrap();
        assert_eq!(target.rsplit(':').next(), Some(format!("{}-dead-letters", queue.name).as_str()));
    }
}

#[test]
fn conditions_select_the_environment_variables() {
    let template = own_template();
    let writer = |values: &[(&str, &str)]| {
        let application = resolve(&template, values).unwrap();
        application.functions.into_iter().find(|function| function.binary == "writer").unwrap()
    };
    let by_default = writer(&[]);
    assert_eq!(by_default.environment["PENSTOCK_DATABASE_AUTH"], "iam");
    assert!(!by_default.environment.contains_key("PENSTOCK_DATABASE_SECRET_ARN"));
    let with_secret = writer(&[("DatabaseAuth", "secret"), ("DatabaseSecretArn", "arn:x")]);
    assert_eq!(with_secret.environment["PENSTOCK_DATABASE_SECRET_ARN"], "arn:x");
    assert_eq!(with_secret.environment["PENSTOCK_ROWS_PER_SECOND"], "0");
}

#[test]
fn parameters_from_ssm_are_detected() {
    let parameters = own_template().parameters();
    let find = |name: &str| parameters.iter().find(|parameter| parameter.name == name).unwrap().clone();
    assert!(find("RawBucket").from_ssm && !find("RawBucket").is_list);
    assert!(find("DatabaseSubnetIds").from_ssm && find("DatabaseSubnetIds").is_list);
    assert!(!find("ChunkRows").from_ssm);
    assert_eq!(find("ChunkRows").default.as_deref(), Some("40000"));
}

#[test]
fn globals_are_merged_as_by_sam() {
    let global = serde_json::json!({"a": {"x": 1, "y": 1}, "list": [1], "s": "global"});
    let own = serde_json::json!({"a": {"y": 2}, "list": [2], "s": "own", "t": 1});
    let expected = serde_json::json!({"a": {"x": 1, "y": 2}, "list": [1, 2], "s": "own", "t": 1});
    assert_eq!(merge(&global, &own), expected);
}

#[test]
fn an_unsupported_part_is_an_error_that_names_it() {
    let cases = [
        ("Resources: {T: {Type: AWS::DynamoDB::Table}}", "AWS::DynamoDB::Table"),
        (
            "Resources: {F: {Type: AWS::Serverless::Function, Metadata: {BuildProperties: {Binary: f}}, Properties: \
             {Timeout: 1, MemorySize: 128, Handler: b, Events: {E: {Type: Kinesis, Properties: {}}}}}}",
            "Kinesis",
        ),
        (
            "Resources: {F: {Type: AWS::Serverless::Function, Metadata: {BuildProperties: {Binary: f}}, Properties: \
             {Timeout: 1, MemorySize: 128, Handler: b, Events: {E: {Type: Schedule, Properties: \
             {Schedule: cron(0 12 * * ? *)}}}}}}",
            "cron(0 12 * * ? *)",
        ),
        (
            "Resources: {F: {Type: AWS::Serverless::Function, Metadata: {BuildProperties: {Binary: f}}, Properties: \
             {Timeout: 1, MemorySize: 128, Handler: b, Events: {E: {Type: Schedule, Properties: \
             {Schedule: rate(1 day), Input: x}}}}}}",
            "Input",
        ),
        (
            "Resources: {F: {Type: AWS::Serverless::Function, Metadata: {BuildProperties: {Binary: f}}, Properties: \
             {Timeout: 1, MemorySize: 128, Handler: b, Events: {E: {Type: SQS, Properties: {Queue: q, \
             FilterCriteria: {}}}}}}}",
            "FilterCriteria",
        ),
        ("Resources: {Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref P}}}", "P"),
    ];
    for (text, named) in cases {
        let error = resolve(&Template::parse(text).unwrap(), &[]).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    let unknown = resolve(&own_template(), &[("NoSuchParameter", "1")]).unwrap_err();
    assert!(unknown.to_string().contains("NoSuchParameter"));
}
