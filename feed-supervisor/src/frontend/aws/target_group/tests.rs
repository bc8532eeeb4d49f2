use super::*;

fn health(state: &str, reason: Option<&str>, description: Option<&str>) -> TargetHealth {
    TargetHealth::builder()
        .state(State::from(state))
        .set_reason(reason.map(Reason::from))
        .set_description(description.map(str::to_owned))
        .build()
}

#[test]
fn every_state_of_a_target_is_understood() {
    let settling = |why: &str| Standing::Settling(format!("in the target group web it is {why}"));
    let rows = [
        (health("healthy", None, None), Standing::InService),
        (health("unavailable", Some("Target.HealthCheckDisabled"), None), Standing::InService),
        (health("draining", Some("Target.DeregistrationInProgress"), None), Standing::Draining),
        (health("unused", Some("Target.NotRegistered"), None), Standing::Absent),
        (health("unused", None, None), Standing::Absent),
        (
            health(
                "initial",
                Some("Elb.RegistrationInProgress"),
                Some("Target registration is in progress."),
            ),
            settling("initial: Target registration is in progress"),
        ),
        (
            health("unhealthy", Some("Target.Timeout"), Some("Request timed out")),
            settling("unhealthy: Request timed out"),
        ),
        (health("unhealthy.draining", None, None), settling("unhealthy.draining")),
        (health("unavailable", Some("Elb.InternalError"), None), settling("unavailable: Elb.InternalError")),
        (
            health("unused", Some("Target.InvalidState"), Some("Target is in the stopped state")),
            settling("unused: Target is in the stopped state"),
        ),
        (health("sideways", None, None), settling("sideways")),
    ];
    for (health, expected) in rows {
        assert_eq!(standing("web", &health), expected, "{health:?}");
    }
}

#[test]
fn a_group_that_nobody_uses_settles() {
    let health =
        health("unused", Some("Target.NotInUse"), Some("Target group is not configured to receive traffic"));
    let why = "in the target group web it is unused: Target group is not configured to receive traffic";
    assert_eq!(standing("web", &health), Standing::Settling(why.to_owned()));
}

#[test]
fn groups_of_other_types_are_named() {
    let group = |kind: Option<TargetTypeEnum>| {
        describe(&types::TargetGroup::builder().target_group_name("web").set_target_type(kind).build()).group
    };
    assert_eq!(group(Some(TargetTypeEnum::Instance)).unwrap().targets, Targets::Instances);
    assert_eq!(group(Some(TargetTypeEnum::Ip)).unwrap().targets, Targets::Addresses);
    for (kind, said) in
        [(Some(TargetTypeEnum::Lambda), "lambda"), (Some(TargetTypeEnum::Alb), "alb"), (None, "unknown")]
    {
        let expected = format!(
            "the target group web is not joined: its target type is {said}, and only instance and ip are possible"
        );
        assert_eq!(group(kind).unwrap_err(), expected);
    }
}
