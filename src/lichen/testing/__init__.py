"""Testing: contracts, samples and hypothesis strategies, for plug-in authors and our own tests.

stores      StoreContract: what every store must keep, and
            store_forgetting, KeepsForgetting, if it forgets on request
samples     entries to test with, and a price list that changes
prices      a call meter and a grid to check in the head
strategies  hypothesis strategies for every type of the ledger
executors   ExecutorContract: what every executor of jobs must keep
grids       IntensityContract: what every source of carbon intensity must keep
following   following a plan hour by hour, as a runner would
policies    PolicyContract: what every policy that plans jobs must keep
live_grids  LiveContract: what a source must keep that is asked over the network, and
            live_forecasts, LiveForecastContract, if it forecasts
grid_api    a real HTTP server that speaks a grid's API, or misbehaves on demand
forecasts   ForecastContract: what every forecast of it must keep
recordings  a signal of any values, and a grid that wanders as grids do
kubernetes_api    a local server that keeps the rules of the Kubernetes API for Jobs
kubernetes_rules  what that API refuses
jobs        a queue of jobs, forecasts by the second, runners on this machine
postgres    a real PostgreSQL server for as long as the tests run
anthropic_answers   what Anthropic's API sends back, in its real shape; gemini_answers, Gemini's
provider    a real HTTP server that answers as OpenAI would, or badly, by a script
redis       a real Redis or Valkey server for as long as the tests run
shares      a part of an upstream's energy that is always the same, or fails
scenarios   published scenarios of planning, to hold a planner against
questions   chat calls that nobody has made before
jobs        a queue of jobs, forecasts by the second, runners on this machine
kubernetes_api    a local server that keeps the rules of the Kubernetes API for Jobs
kubernetes_rules  what that API refuses
slurm       a real Slurm of one node for as long as the tests run
service     a real `lichen serve` for as long as a test needs it
waiting     looking until something holds, instead of sleeping

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path): ...

Needs pytest and hypothesis, which only tests have; nothing else in lichen imports this room.
"""
