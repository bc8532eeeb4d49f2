use super::*;

#[test]
fn every_state_of_an_instance_is_understood() {
    let settling = |why: &str| Standing::Settling(why.to_owned());
    let progress = "Instance registration is still in progress.";
    let rows = [
        ("InService", "N/A", "N/A", Standing::InService, Standing::Draining),
        (
            "OutOfService",
            "ELB",
            progress,
            settling("its state is OutOfService: Instance registration is still in progress"),
            Standing::Absent,
        ),
        ("OutOfService", "Instance", "", settling("its state is OutOfService: Instance"), Standing::Absent),
        ("Unknown", "N/A", "N/A", settling("its state is Unknown"), Standing::Absent),
        ("Unknown", "", "", settling("its state is Unknown"), Standing::Absent),
    ];
    for (state, reason, description, listed, unlisted) in rows {
        let told = InstanceState::builder().state(state).reason_code(reason).description(description).build();
        assert_eq!(standing(Some(&told), true), listed, "{state}, {description}");
        assert_eq!(standing(Some(&told), false), unlisted, "{state}, {description}");
    }
    assert_eq!(standing(None, true), settling("AWS says nothing of the instance yet"));
    assert_eq!(standing(None, false), Standing::Absent);
}

#[test]
fn descriptions_are_for_people() {
    for description in [
        "Instance is not currently registered with the LoadBalancer.",
        "Instance deregistration currently in progress.",
    ] {
        let told = InstanceState::builder().state("OutOfService").description(description).build();
        assert!(matches!(standing(Some(&told), true), Standing::Settling(_)), "{description}");
    }
}
