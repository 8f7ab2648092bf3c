//! The resources that Terraform owns on AWS: buckets, secrets and the SSM parameters with their names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, EventBridgeConfiguration,
    NotificationConfiguration, VersioningConfiguration,
};
use penstock_aws::clients::Aws;
use serde_json::json;

use crate::aws_json::{JsonClient, JsonService, text_field};
use crate::aws_query::create_instance;
use crate::error::{LocalError, aws, io};
use crate::moto::{ACCOUNT_ID, Moto};

/// The environment's name, which is a part of each resource's name.
pub(crate) const ENVIRONMENT: &str = "local";
pub(crate) const SPARK_APPLICATION_ID: &str = "00localspark0001";
const BUCKETS: [&str; 4] = ["raw", "processed", "quarantine", "artifacts"];

/// The connection data of the database, for the secret and the parameters.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseLogin {
    pub(crate) port: u16,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

/// The clients of the emulated services.
#[derive(Debug, Clone)]
pub(crate) struct AwsClients {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) json: JsonClient,
}

impl AwsClients {
    pub(crate) fn new(aws: &Aws, moto: &Moto, region: &str) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(aws.config()).endpoint_url(moto.url());
        let sqs = aws_sdk_sqs::config::Builder::from(aws.config()).endpoint_url(moto.url());
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3.force_path_style(true).build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            json: JsonClient::new(moto.authority(), region),
        }
    }
}

/// Returns the name of a bucket; `kind` is `raw`, `processed`, `quarantine` or `artifacts`.
pub(crate) fn bucket(kind: &str) -> String {
    format!("penstock-{ENVIRONMENT}-{kind}")
}

/// Returns `/penstock/<environment>/<name>`.
pub(crate) fn ssm_name(name: &str) -> String {
    format!("/penstock/{ENVIRONMENT}/{name}")
}

/// Creates all resources.
pub(crate) async fn create(
    clients: &AwsClients,
    region: &str,
    database: &DatabaseLogin,
) -> Result<(), LocalError> {
    for kind in BUCKETS {
        create_bucket(clients, region, &bucket(kind)).await?;
    }
    notify_event_bridge(clients, &bucket("raw")).await?;
    let instance = format!("penstock-{ENVIRONMENT}");
    create_instance(clients.json.authority(), region, &instance).await?;
    // The form of the secrets that RDS manages.
    let login = json!({"username": database.user, "password": database.password}).to_string();
    let secret_arn = create_secret(clients, "database", login).await?;
    let pseudonym_secret_arn = create_secret(clients, "pseudonym-key", random_key()?).await?;
    let role = format!("arn:aws:iam::{ACCOUNT_ID}:role/penstock-{ENVIRONMENT}-spark");
    let mut parameters = BTreeMap::from([
        ("database-host", "127.0.0.1".to_owned()),
        ("database-port", database.port.to_string()),
        ("database-name", database.name.clone()),
        ("database-user", database.user.clone()),
        ("database-resource-id", "db-LOCAL".to_owned()),
        ("database-instance", instance),
        ("database-secret-arn", secret_arn),
        ("pseudonym-secret-arn", pseudonym_secret_arn),
        ("data-key-arn", format!("arn:aws:kms:{region}:{ACCOUNT_ID}:alias/penstock-{ENVIRONMENT}-data")),
        ("alarm-topic-arn", format!("arn:aws:sns:{region}:{ACCOUNT_ID}:penstock-{ENVIRONMENT}-alarms")),
        ("database-client-subnet-ids", "subnet-local".to_owned()),
        ("database-client-security-group-ids", "sg-local".to_owned()),
        ("spark-application-id", SPARK_APPLICATION_ID.to_owned()),
        ("spark-job-role-arn", role),
        ("spark-entry-point", format!("s3://{}/spark/standardise.py", bucket("artifacts"))),
    ]);
    let buckets = ["raw-bucket", "processed-bucket", "quarantine-bucket", "artifacts-bucket"];
    parameters.extend(BUCKETS.iter().zip(buckets).map(|(kind, name)| (name, bucket(kind))));
    for (name, value) in parameters {
        let input = json!({"Name": ssm_name(name), "Value": value, "Type": "String"});
        clients.json.call(JsonService::Ssm, "PutParameter", &input).await?;
    }
    Ok(())
}

async fn create_bucket(clients: &AwsClients, region: &str, name: &str) -> Result<(), LocalError> {
    let configuration = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::from(region))
        .build();
    let request = clients.s3.create_bucket().bucket(name).create_bucket_configuration(configuration);
    request.send().await.map_err(aws("s3 CreateBucket"))?;
    Ok(())
}

async fn notify_event_bridge(clients: &AwsClients, bucket: &str) -> Result<(), LocalError> {
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let request = clients.s3.put_bucket_versioning().bucket(bucket).versioning_configuration(versioning);
    request.send().await.map_err(aws("s3 PutBucketVersioning"))?;
    let notification = NotificationConfiguration::builder()
        .event_bridge_configuration(EventBridgeConfiguration::builder().build())
        .build();
    let request = clients.s3.put_bucket_notification_configuration().bucket(bucket);
    let request = request.notification_configuration(notification);
    request.send().await.map_err(aws("s3 PutBucketNotificationConfiguration"))?;
    Ok(())
}

/// Returns 32 random bytes as hexadecimal digits.
fn random_key() -> Result<String, LocalError> {
    let mut bytes = [0; 32];
    let source = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes));
    source.map_err(io("creating a key for pseudonyms"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Creates a secret and returns its ARN.
async fn create_secret(clients: &AwsClients, name: &str, text: String) -> Result<String, LocalError> {
    let input = json!({"Name": format!("penstock-{ENVIRONMENT}-{name}"), "SecretString": text});
    let response = clients.json.call(JsonService::SecretsManager, "CreateSecret", &input).await?;
    text_field(&response, "ARN", "secretsmanager CreateSecret")
}
