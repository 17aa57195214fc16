package batch
import ("testing";"os/exec";"strings")
func TestZZ(t *testing.T) {
	for _, m := range mutations() {
		b := m.build(t)
		out, err := exec.Command(b, "-test.run=^TestCrash$", "-crash.seeds=3000","-test.timeout=60s").CombinedOutput()
		msg := ""
		for _, l := range strings.Split(string(out), "\n") { if strings.Contains(l, "visible") || strings.Contains(l, "stuck") || strings.Contains(l,"believ")|| strings.Contains(l,"panic") || strings.Contains(l,"batch ") || strings.Contains(l,"stopped") { msg = l; break } }
		t.Logf("%-70s caught=%v %s", m.name, err != nil, strings.TrimSpace(msg))
	}
}
