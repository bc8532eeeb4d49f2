//! The query protocol: forms that come, XML that goes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::state::{Balancer, Group, State};

/// The most that `DescribeTags` takes, and that `DescribeLoadBalancers` takes by ARN.
const AT_ONCE: usize = 20;

/// The most that a page has.
const PAGE: usize = 400;

const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:000000000001:";

/// An error: its code and its message.
type Refusal = (&'static str, String);

/// The parameters of a request.
#[derive(Debug)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn parse(body: &str) -> Self {
        let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    pub(super) fn operation(&self) -> &str {
        self.text("Action")
    }

    pub(super) fn is_classic(&self) -> bool {
        self.text("Version") == "2012-06-01"
    }

    /// The load balancer or target group that it is about, if it is about one.
    pub(super) fn subject(&self) -> Option<String> {
        let text = self.0.get("LoadBalancerName").or_else(|| self.0.get("TargetGroupArn"))?;
        Some(name_of(text).to_owned())
    }

    /// Whether a page is asked for that is not the first.
    pub(super) fn goes_on(&self) -> bool {
        self.0.contains_key("Marker")
    }

    /// The load balancers that are asked for.
    pub(super) fn names(&self) -> Vec<String> {
        let names = ["LoadBalancerNames.member.", "ResourceArns.member.", "LoadBalancerArns.member."];
        self.list(|key| names.iter().any(|name| key.starts_with(name)))
    }

    /// The targets.
    fn ids(&self) -> Vec<String> {
        self.list(|key| key.ends_with(".InstanceId") || key.ends_with(".Id"))
    }

    fn list(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let wanted = self.0.iter().filter(|(key, _)| wanted(key));
        wanted.map(|(_, value)| name_of(value).to_owned()).collect()
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// The name in an ARN, or what is no ARN as it is.
fn name_of(text: &str) -> &str {
    if !text.starts_with(ARN) {
        return text;
    }
    text.rsplit('/').nth(1).unwrap()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}

pub(super) fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>1</RequestId></ErrorResponse>"
    )
}

/// Carries a request out.
pub(super) fn answer(state: &mut State, form: &Form) -> Result<String, Refusal> {
    let result = match (form.operation(), form.is_classic()) {
        ("DescribeLoadBalancers", classic) => balancers(state, form, classic)?,
        ("DescribeTags", _) => tags(state, form)?,
        ("DescribeTargetGroups", false) => groups(state, form),
        ("DescribeInstanceHealth", true) => instance_health(state, form)?,
        ("DescribeTargetHealth", false) => target_health(state, form)?,
        ("RegisterInstancesWithLoadBalancer" | "RegisterTargets", _) => {
            let subject = form.subject().unwrap_or_default();
            state.register(&subject, &form.ids()).ok_or_else(|| missing(form))?;
            String::new()
        }
        ("DeregisterInstancesFromLoadBalancer" | "DeregisterTargets", _) => {
            let subject = form.subject().unwrap_or_default();
            state.deregister(&subject, &form.ids()).ok_or_else(|| missing(form))?;
            String::new()
        }
        ("AssumeRoleWithWebIdentity", _) => {
            state.given_keys += 1;
            format!(
                "<Credentials><AccessKeyId>GIVEN{}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
                 <SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>",
                state.given_keys
            )
        }
        (other, _) => return Err(("InvalidAction", format!("{other} is not known here"))),
    };
    let name = form.operation();
    Ok(format!(
        "<{name}Response><{name}Result>{result}</{name}Result><ResponseMetadata><RequestId>1</RequestId>\
         </ResponseMetadata></{name}Response>"
    ))
}

fn missing(form: &Form) -> Refusal {
    let code = if form.is_classic() { "LoadBalancerNotFound" } else { "TargetGroupNotFound" };
    (code, format!("There is no {}", form.subject().unwrap_or_default()))
}

/// A page of what is listed, and its end.
fn page<'a, T>(
    all: &[(&'a String, &'a T)],
    form: &Form,
    show: impl Fn(&'a str, &'a T) -> String,
) -> (String, String) {
    let start = all.iter().position(|(name, _)| name.as_str() == form.text("Marker")).unwrap_or_default();
    let rest = &all[start..];
    let shown = rest.iter().take(PAGE).map(|(name, it)| show(name, it)).collect();
    let next = rest.get(PAGE).map(|(name, _)| format!("<NextMarker>{name}</NextMarker>"));
    (shown, next.unwrap_or_default())
}

fn balancers(state: &State, form: &Form, classic: bool) -> Result<String, Refusal> {
    let asked = form.names();
    if asked.len() > AT_ONCE {
        return Err(("ValidationError", format!("{} load balancers are too many", asked.len())));
    }
    if let Some(missing) = asked.iter().find(|name| !state.balancers.contains_key(*name)) {
        return Err(("LoadBalancerNotFound", format!("There is no {missing}")));
    }
    let wanted = |name: &String, it: &Balancer| {
        (it.kind == "classic") == classic && (asked.is_empty() || asked.contains(name))
    };
    let all: Vec<_> = state.balancers.iter().filter(|(name, it)| wanted(name, it)).collect();
    let (members, end) = page(&all, form, |name, it| balancer(name, it, classic));
    let list = if classic { "LoadBalancerDescriptions" } else { "LoadBalancers" };
    Ok(format!("<{list}>{members}</{list}>{end}"))
}

fn balancer(name: &str, it: &Balancer, classic: bool) -> String {
    let Balancer { kind, scheme, .. } = it;
    let common = format!(
        "<LoadBalancerName>{name}</LoadBalancerName><Scheme>{scheme}</Scheme>\
         <DNSName>{name}.eu-west-1.elb.amazonaws.com</DNSName>"
    );
    if classic {
        let registered = it.targets.iter().filter(|(_, target)| target.left.is_none());
        let instances = registered.fold(String::new(), |instances, (id, _)| {
            instances + "<member><InstanceId>" + id + "</InstanceId></member>"
        });
        return format!(
            "<member>{common}<CanonicalHostedZoneNameID>Z32O12XQLNTSW2</CanonicalHostedZoneNameID>\
             <Instances>{instances}</Instances></member>"
        );
    }
    let arn = balancer_arn(name);
    format!("<member>{common}<LoadBalancerArn>{arn}</LoadBalancerArn><Type>{kind}</Type></member>")
}

fn balancer_arn(name: &str) -> String {
    format!("{ARN}loadbalancer/net/{name}/50dc6c495c0c9188")
}

fn tags(state: &State, form: &Form) -> Result<String, Refusal> {
    let asked = form.names();
    if asked.len() > AT_ONCE {
        return Err(("ValidationError", format!("{} load balancers are too many", asked.len())));
    }
    let mut members = String::new();
    for name in asked {
        let it = state.balancers.get(&name).ok_or_else(|| ("LoadBalancerNotFound", name.clone()))?;
        let tags = it.tags.iter().fold(String::new(), |tags, (key, value)| {
            tags + "<member><Key>" + key + "</Key><Value>" + value + "</Value></member>"
        });
        let subject = if form.is_classic() {
            format!("<LoadBalancerName>{name}</LoadBalancerName>")
        } else {
            format!("<ResourceArn>{}</ResourceArn>", balancer_arn(&name))
        };
        write!(members, "<member>{subject}<Tags>{tags}</Tags></member>").unwrap();
    }
    Ok(format!("<TagDescriptions>{members}</TagDescriptions>"))
}

fn groups(state: &State, form: &Form) -> String {
    let all: Vec<_> = state.groups.iter().collect();
    let (members, end) = page(&all, form, group);
    format!("<TargetGroups>{members}</TargetGroups>{end}")
}

fn group(name: &str, it: &Group) -> String {
    let balancers = it
        .balancers
        .iter()
        .fold(String::new(), |arns, name| arns + "<member>" + &balancer_arn(name) + "</member>");
    format!(
        "<member><TargetGroupArn>{ARN}targetgroup/{name}/6d0ecf831eec9f09</TargetGroupArn>\
         <TargetGroupName>{name}</TargetGroupName><Port>80</Port><TargetType>{}</TargetType>\
         <LoadBalancerArns>{balancers}</LoadBalancerArns></member>",
        it.target_type
    )
}

/// In the words of the API's `InstanceState`.
fn instance_health(state: &mut State, form: &Form) -> Result<String, Refusal> {
    let subject = form.subject().unwrap_or_default();
    let mut members = String::new();
    for id in form.ids() {
        let wordless = state.wordless;
        let state = state.target_state(&subject, &id).ok_or_else(|| missing(form))?;
        let (state, description) = match state {
            "unused" if wordless => ("Unknown", ""),
            "healthy" => ("InService", "N/A"),
            "draining" => ("InService", "Instance deregistration currently in progress."),
            "initial" => ("OutOfService", "Instance registration is still in progress."),
            _ => ("OutOfService", "Instance is not currently registered with the LoadBalancer."),
        };
        write!(
            members,
            "<member><InstanceId>{id}</InstanceId><State>{state}</State><ReasonCode>N/A</ReasonCode>\
             <Description>{description}</Description></member>"
        )
        .unwrap();
    }
    Ok(format!("<InstanceStates>{members}</InstanceStates>"))
}

/// In the words of the API's `TargetHealth`.
fn target_health(state: &mut State, form: &Form) -> Result<String, Refusal> {
    let subject = form.subject().unwrap_or_default();
    let mut members = String::new();
    let mut ids = form.ids();
    if ids.is_empty() {
        let times = (state.settling, state.draining);
        let targets = state.targets(&subject).ok_or_else(|| missing(form))?;
        let there = targets.iter().filter(|(_, target)| target.state(times) != "unused");
        ids = there.map(|(id, _)| id.clone()).collect();
    }
    for id in ids {
        let state_of_target = state.target_state(&subject, &id).ok_or_else(|| missing(form))?;
        let is_used = !state.groups[&subject].balancers.is_empty();
        let (target_state, reason) = match state_of_target {
            "unused" => ("unused", "Target.NotRegistered"),
            _ if !is_used => ("unused", "Target.NotInUse"),
            "initial" => ("initial", "Elb.InitialHealthChecking"),
            "draining" => ("draining", "Target.DeregistrationInProgress"),
            other => (other, ""),
        };
        let reason = if reason.is_empty() { String::new() } else { format!("<Reason>{reason}</Reason>") };
        write!(
            members,
            "<member><Target><Id>{id}</Id><Port>80</Port></Target><TargetHealth><State>{target_state}</State>\
             {reason}</TargetHealth></member>"
        )
        .unwrap();
    }
    Ok(format!("<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"))
}
