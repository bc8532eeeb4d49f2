"""moto's server, with what its load balancers lack.

Classic ones: the hosted zone that an ALIAS needs; a second registration that changes nothing; an error for a load balancer
that is not there; the health of instances that it has not launched itself, and of those that are not registered.
Target groups: a deregistration of what is not registered is accepted, and such a target is `unused`, whatever its type is.
"""

import sys

from moto.elb.exceptions import NoActiveLoadBalancerFoundError
from moto.elb.models import ELBBackend, LoadBalancer
from moto.elb.responses import ELBResponse
from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup
from moto.core.responses import ActionResult
from moto.server import main

LoadBalancer.canonical_hosted_zone_name_id = "Z32O12XQLNTSW2"


def existing(backend, name):
    if name not in backend.load_balancers:
        raise NoActiveLoadBalancerFoundError(name)
    return backend.load_balancers[name]


def register_instances(self, load_balancer_name, instance_ids, from_autoscaling=False):
    balancer = existing(self, load_balancer_name)
    known = balancer.instance_sparse_ids
    known.extend(instance for instance in instance_ids if instance not in known)
    return balancer


deregister_instances = ELBBackend.deregister_instances
ELBBackend.register_instances = register_instances
ELBBackend.deregister_instances = lambda self, name, *rest: existing(self, name) and deregister_instances(self, name, *rest)


def describe_instance_health(self):
    registered = existing(self.elb_backend, self._get_param("LoadBalancerName")).instance_ids
    absent = ("OutOfService", "Instance is not currently registered with the LoadBalancer.")
    asked = [instance["InstanceId"] for instance in self._get_param("Instances", [])] or registered
    states = {instance: ("InService", "N/A") if instance in registered else absent for instance in asked}
    return ActionResult({
        "InstanceStates": [
            {"InstanceId": instance, "State": state, "Description": description, "ReasonCode": "N/A"}
            for instance, (state, description) in states.items()
        ]
    })


ELBResponse.describe_instance_health = describe_instance_health

deregister = FakeTargetGroup.deregister
FakeTargetGroup.deregister = lambda self, targets: deregister(self, [it for it in targets if it["Id"] in self.targets])

health_for = FakeTargetGroup.health_for


def health_of(self, target, ec2_backend):
    if target["Id"] in self.targets:
        return health_for(self, target, ec2_backend)
    port = target.get("Port", self.port)
    return FakeHealthStatus(target["Id"], port, self.health_check_port, "unused", "Target.NotRegistered", "Not registered")


FakeTargetGroup.health_for = health_of

sys.exit(main())
