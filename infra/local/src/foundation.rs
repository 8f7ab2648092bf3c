//! What Terraform owns on AWS: buckets, the database and its secret, and the SSM parameters that name them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, EventBridgeConfiguration,
    NotificationConfiguration, VersioningConfiguration,
};
use penstock_aws::clients::Aws;
use serde_json::json;

use crate::error::{LocalError, aws, io};
use crate::moto::ACCOUNT_ID;

/// The environment's name, part of each resource's.
pub(crate) const ENVIRONMENT: &str = "local";
pub(crate) const SPARK_APPLICATION_ID: &str = "00localspark0001";
const BUCKETS: [&str; 4] = ["raw", "processed", "quarantine", "artifacts"];

/// The database that the secret and the parameters describe.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) port: u16,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

/// The clients of the emulated services.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) events: aws_sdk_eventbridge::Client,
    secrets: aws_sdk_secretsmanager::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
    rds: aws_sdk_rds::Client,
}

impl Clients {
    pub(crate) fn new(aws: &Aws) -> Self {
        let config = aws.config();
        // The local stack always names one.
        let endpoint = |service: &str| aws.endpoint(service).unwrap_or_default();
        let s3 = aws_sdk_s3::config::Builder::from(config).endpoint_url(endpoint("S3"));
        let sqs = aws_sdk_sqs::config::Builder::from(config).endpoint_url(endpoint("SQS"));
        let events = aws_sdk_eventbridge::config::Builder::from(config).endpoint_url(endpoint("EVENTBRIDGE"));
        let secrets =
            aws_sdk_secretsmanager::config::Builder::from(config).endpoint_url(endpoint("SECRETS_MANAGER"));
        let ssm = aws_sdk_ssm::config::Builder::from(config).endpoint_url(endpoint("SSM"));
        let rds = aws_sdk_rds::config::Builder::from(config).endpoint_url(endpoint("RDS"));
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3.force_path_style(true).build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            events: aws_sdk_eventbridge::Client::from_conf(events.build()),
            secrets: aws_sdk_secretsmanager::Client::from_conf(secrets.build()),
            ssm: aws_sdk_ssm::Client::from_conf(ssm.build()),
            rds: aws_sdk_rds::Client::from_conf(rds.build()),
        }
    }
}

/// The name of one of the buckets: `raw`, `processed`, `quarantine`, `artifacts`.
pub(crate) fn bucket(kind: &str) -> String {
    format!("penstock-{ENVIRONMENT}-{kind}")
}

/// `/penstock/<environment>/<name>`
pub(crate) fn ssm_name(name: &str) -> String {
    format!("/penstock/{ENVIRONMENT}/{name}")
}

/// Makes it all.
pub(crate) async fn create(clients: &Clients, region: &str, database: &Database) -> Result<(), LocalError> {
    for kind in BUCKETS {
        create_bucket(clients, region, &bucket(kind)).await?;
    }
    notify_event_bridge(clients, &bucket("raw")).await?;
    // In the form that RDS gives the secrets it manages.
    let login = json!({"username": database.user, "password": database.password}).to_string();
    let secret_arn = create_secret(clients, "database", login).await?;
    let pseudonym_secret_arn = create_secret(clients, "pseudonym-key", random_key()?).await?;
    let resource_id = create_instance(clients, database).await?;
    let role = format!("arn:aws:iam::{ACCOUNT_ID}:role/penstock-{ENVIRONMENT}-spark");
    let mut parameters = BTreeMap::from([
        ("database-host", "127.0.0.1".to_owned()),
        ("database-port", database.port.to_string()),
        ("database-name", database.name.clone()),
        ("database-user", database.user.clone()),
        ("database-resource-id", resource_id),
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
        let request = clients.ssm.put_parameter().name(ssm_name(name)).value(value);
        let request = request.r#type(aws_sdk_ssm::types::ParameterType::String);
        request.send().await.map_err(aws("ssm PutParameter"))?;
    }
    Ok(())
}

async fn create_bucket(clients: &Clients, region: &str, name: &str) -> Result<(), LocalError> {
    let place = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::from(region))
        .build();
    let request = clients.s3.create_bucket().bucket(name).create_bucket_configuration(place);
    request.send().await.map_err(aws("s3 CreateBucket"))?;
    Ok(())
}

async fn notify_event_bridge(clients: &Clients, bucket: &str) -> Result<(), LocalError> {
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

/// 32 random bytes in hexadecimal digits.
fn random_key() -> Result<String, LocalError> {
    let mut bytes = [0; 32];
    let source = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes));
    source.map_err(io("making a key for pseudonyms"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn create_secret(clients: &Clients, name: &str, text: String) -> Result<String, LocalError> {
    let request = clients.secrets.create_secret().name(format!("penstock-{ENVIRONMENT}-{name}"));
    let created = request.secret_string(text).send().await.map_err(aws("secretsmanager CreateSecret"))?;
    Ok(created.arn.unwrap_or_default())
}

/// The record of the instance, which says that it is available; the server itself is ours.
async fn create_instance(clients: &Clients, database: &Database) -> Result<String, LocalError> {
    let request = clients
        .rds
        .create_db_instance()
        .db_instance_identifier(format!("penstock-{ENVIRONMENT}"))
        .db_instance_class("db.t4g.micro")
        .engine("postgres")
        .allocated_storage(20)
        .db_name(&database.name)
        .master_username(&database.user)
        .master_user_password(&database.password)
        .port(database.port.into());
    let created = request.send().await.map_err(aws("rds CreateDBInstance"))?;
    Ok(created.db_instance.and_then(|instance| instance.dbi_resource_id).unwrap_or_default())
}
